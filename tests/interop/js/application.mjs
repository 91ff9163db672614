// What every application of ours needs: a callback address, and a way to wait for what arrives there.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";

import { parseCallAutomationEvent } from "@azure/communication-call-automation";

const WAIT_MS = 20_000;

/** Listens on loopback; keeps events in their order, parsed as the SDK parses them. */
export class Application {
  events = [];
  incoming = [];
  #waiting = new Set();
  #server = createServer((request, response) => this.#take(request, response));

  async listen(port = 0) {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    this.uri = `http://127.0.0.1:${this.#server.address().port}`;
  }

  async close() {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  async #take(request, response) {
    const parts = await Array.fromAsync(request);
    const body = JSON.parse(Buffer.concat(parts).toString());
    assert.ok(Array.isArray(body), "events come in an array");
    if (request.url.startsWith("/grid")) {
      return this.#hear(body[0], response);
    }
    assert.equal(body.length, 1, "the SDK's parser reads the first event of an array only");
    this.events.push(parseCallAutomationEvent(body[0]));
    response.writeHead(200).end();
    this.#waiting.forEach((look) => look());
  }

  /** Event Grid's first request asks to be answered with its own code; the others bring events. */
  #hear(event, response) {
    if (event.eventType === "Microsoft.EventGrid.SubscriptionValidationEvent") {
      const answer = JSON.stringify({ validationResponse: event.data.validationCode });
      return response.writeHead(200, { "content-type": "application/json" }).end(answer);
    }
    this.incoming.push(event.data);
    response.writeHead(200).end();
    this.#waiting.forEach((look) => look());
  }

  /** The first thing for which `find` gives something; fails after a while, and says what came instead. */
  async until(find, what) {
    let look;
    let timer;
    const found = new Promise((resolve, reject) => {
      const seen = () => this.events.map((event) => event.kind).join(", ") || "nothing";
      timer = setTimeout(() => reject(new Error(`no ${what}; here came: ${seen()}`)), WAIT_MS);
      look = () => {
        const result = find();
        if (result) resolve(result);
      };
    });
    this.#waiting.add(look);
    look();
    try {
      return await found;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(look);
    }
  }

  /** The event of this kind on that connection. */
  event(kind, callConnectionId) {
    const find = () =>
      this.events.find((event) => event.kind === kind && event.callConnectionId === callConnectionId);
    return this.until(find, `${kind} of ${callConnectionId}`);
  }

  /** The kinds of events of a connection, in their order. */
  kinds(callConnectionId) {
    return this.events
      .filter((event) => event.callConnectionId === callConnectionId)
      .map((event) => event.kind);
  }
}
