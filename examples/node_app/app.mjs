// A reminder service: it calls people, takes calls, and knows of each what became of it.
import { once } from "node:events";
import { createServer } from "node:http";

import { CallAutomationClient } from "@azure/communication-call-automation";

export const OWN_NUMBER = "+14255550100";
const BLOCKED = new Set(["4:+14255550666"]);
const OUTCOMES = {
  486: "busy: try again in 10 minutes",
  600: "busy: try again in 10 minutes",
  480: "nobody there: try again tomorrow",
  487: "nobody there: try again tomorrow",
  408: "nobody there: try again tomorrow",
  603: "declined: do not call again",
  403: "not allowed to call this number",
  404: "wrong number: ask the customer",
  200: "done",
};

export class Reminders {
  outcomes = new Map();
  #client = new CallAutomationClient(process.env.COMMUNICATION_SERVICES_CONNECTION_STRING);
  #server = createServer((request, response) => this.#take(request, response));

  async listen(port = 0) {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    this.url = `http://127.0.0.1:${this.#server.address().port}`;
  }

  close() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async remind(number) {
    const invite = {
      targetParticipant: { phoneNumber: number },
      sourceCallIdNumber: { phoneNumber: OWN_NUMBER },
    };
    const { callConnectionProperties } = await this.#client.createCall(invite, `${this.url}/events`);
    return callConnectionProperties.callConnectionId;
  }

  hangUp(call) {
    return this.#client.getCallConnection(call).hangUp(true);
  }

  async #take(request, response) {
    const body = Buffer.concat(await Array.fromAsync(request)).toString();
    let reply = {};
    for (const event of JSON.parse(body)) {
      if (event.eventType === "Microsoft.EventGrid.SubscriptionValidationEvent") {
        reply = { validationResponse: event.data.validationCode };
      } else if (event.eventType === "Microsoft.Communication.IncomingCall") {
        await this.#decide(event.data);
      } else if (event.type) {
        this.#hear(event);
      }
    }
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(reply));
  }

  async #decide(call) {
    if (BLOCKED.has(call.from.rawId)) {
      await this.#client.rejectCall(call.incomingCallContext, { callRejectReason: "busy" });
    } else {
      await this.#client.answerCall(call.incomingCallContext, `${this.url}/events`);
    }
  }

  #hear({ type, data }) {
    if (/\.(CreateCallFailed|AnswerFailed|CallDisconnected)$/.test(type)) {
      const { code } = data.resultInformation;
      this.outcomes.set(data.callConnectionId, OUTCOMES[code] ?? `failed with ${code}: tell the operator`);
    } else if (type.endsWith(".CallConnected")) {
      this.outcomes.set(data.callConnectionId, "talking");
    }
  }
}
