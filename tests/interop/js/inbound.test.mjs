// The JavaScript SDK takes calls: one application calls a user, another hears of it and answers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { CallAutomationClient } from "@azure/communication-call-automation";
import { CommunicationIdentityClient } from "@azure/communication-identity";

import { Application } from "./application.mjs";

const connectionString = process.env.COMMUNICATION_SERVICES_CONNECTION_STRING;
const client = new CallAutomationClient(connectionString);
const identities = new CommunicationIdentityClient(connectionString);
const application = new Application();
const callbacks = () => `${application.uri}/events`;

before(async () => {
  await application.listen();
  await subscribe();
});
after(() => application.close());

/** What `onhook events subscribe` does; answers when the endpoint is validated. */
async function subscribe() {
  const answer = await fetch(`${process.env.ONHOOK_URL}/onhook/events`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      name: "javascript",
      endpoint: `${application.uri}/grid`,
      event_types: ["IncomingCall"],
    }),
  });
  assert.equal((await answer.json()).state, "Succeeded");
}

/** Someone calls a new user: the caller's connection, and what the callee hears of it. */
async function ring() {
  const callee = await identities.createUser();
  const created = await client.createCall({ targetParticipant: callee }, callbacks());
  const heard = await application.until(
    () => application.incoming.find((call) => call.to.rawId === callee.communicationUserId),
    "IncomingCall",
  );
  return { id: created.callConnectionProperties.callConnectionId, heard };
}

test("a call that is answered: both sides hear of it, and one hangs up for both", async () => {
  const { id, heard } = await ring();
  const answered = await client.answerCall(heard.incomingCallContext, callbacks(), {
    operationContext: "answering",
  });
  const other = answered.callConnectionProperties.callConnectionId;
  assert.notEqual(other, id);

  const connected = await application.event("CallConnected", id);
  const theirs = await application.event("CallConnected", other);
  assert.equal(theirs.operationContext, "answering");
  assert.equal(connected.serverCallId, heard.serverCallId);
  assert.equal(theirs.serverCallId, heard.serverCallId);
  const updated = await application.event("ParticipantsUpdated", other);
  assert.equal(updated.participants.length, 2);

  await client.getCallConnection(other).hangUp(true);
  for (const side of [id, other]) {
    const over = await application.event("CallDisconnected", side);
    assert.equal(over.resultInformation.code, 200);
  }
});

test("a call that is joined by its serverCallId", async () => {
  const { id, heard } = await ring();
  await client.answerCall(heard.incomingCallContext, callbacks());
  await application.event("CallConnected", id);
  const locator = { id: heard.serverCallId, kind: "serverCallLocator" };
  const joined = await client.connectCall(locator, callbacks());
  const third = joined.callConnectionProperties.callConnectionId;
  await application.event("CallConnected", third);
  await client.getCallConnection(id).hangUp(true);
  await application.event("CallDisconnected", third);
});

test("a call that is rejected", async () => {
  const { id, heard } = await ring();
  await client.rejectCall(heard.incomingCallContext);
  const failed = await application.event("CreateCallFailed", id);
  assert.equal(failed.resultInformation.code, 603);
  assert.equal(failed.resultInformation.subCode, 0);
  assert.deepEqual(application.kinds(id), ["CreateCallFailed"]);
});

test("a call that is redirected to another user rings there", async () => {
  const { heard } = await ring();
  const next = await identities.createUser();
  await client.redirectCall(heard.incomingCallContext, { targetParticipant: next });
  const again = await application.until(
    () => application.incoming.find((call) => call.to.rawId === next.communicationUserId),
    "second IncomingCall",
  );
  assert.equal(again.serverCallId, heard.serverCallId);
  await client.rejectCall(again.incomingCallContext);
});

test("a context is good for one answer, and for nobody else's", async () => {
  const { id, heard } = await ring();
  await client.answerCall(heard.incomingCallContext, callbacks());
  await assert.rejects(client.answerCall(heard.incomingCallContext, callbacks()), {
    name: "RestError",
    statusCode: 400,
    code: "8585",
  });
  await assert.rejects(client.rejectCall("made.up.context"), {
    statusCode: 400,
    code: "8523",
    message: /incomingCallContext is not valid/,
  });
  await client.getCallConnection(id).hangUp(true);
  await application.event("CallDisconnected", id);
});
