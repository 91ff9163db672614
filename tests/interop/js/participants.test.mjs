// The JavaScript SDK on those who take part: they are added, muted, removed, transferred and moved.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { CallAutomationClient } from "@azure/communication-call-automation";
import { CommunicationIdentityClient } from "@azure/communication-identity";

import { Application } from "./application.mjs";

const connectionString = process.env.COMMUNICATION_SERVICES_CONNECTION_STRING;
const client = new CallAutomationClient(connectionString);
const identities = new CommunicationIdentityClient(connectionString);
const application = new Application();
const shown = { phoneNumber: "+14255550100" };
const callbacks = () => `${application.uri}/events`;

before(async () => {
  await application.listen();
  const answer = await fetch(`${process.env.ONHOOK_URL}/onhook/events`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      name: "participants",
      endpoint: `${application.uri}/grid`,
      event_types: ["IncomingCall"],
    }),
  });
  assert.equal((await answer.json()).state, "Succeeded");
});
after(() => application.close());

/** A call to a number that answers: its id, and its connection. */
async function up(number = "+14255550200") {
  const invite = { targetParticipant: { phoneNumber: number }, sourceCallIdNumber: shown };
  const created = await client.createCall(invite, callbacks());
  const id = created.callConnectionProperties.callConnectionId;
  await application.event("CallConnected", id);
  return { id, connection: client.getCallConnection(id) };
}

const phone = (number) => ({ targetParticipant: { phoneNumber: number }, sourceCallIdNumber: shown });
const rawIds = async (connection) =>
  (await connection.listParticipants()).values.map(({ identifier }) => identifier.rawId ?? identifier.phoneNumber);

test("a phone is added, and removed again", async () => {
  const { id, connection } = await up();
  const added = await connection.addParticipant(phone("+14255551200"), { operationContext: "add" });
  assert.equal(added.participant.identifier.phoneNumber, "+14255551200");
  assert.ok(added.invitationId);
  const succeeded = await application.event("AddParticipantSucceeded", id);
  assert.equal(succeeded.operationContext, "add");
  assert.equal(succeeded.participant.phoneNumber, "+14255551200");
  assert.equal(succeeded.resultInformation.code, 200);
  assert.ok((await rawIds(connection)).includes("4:+14255551200"));

  await connection.removeParticipant({ phoneNumber: "+14255551200" });
  const removed = await application.event("RemoveParticipantSucceeded", id);
  assert.equal(removed.participant.phoneNumber, "+14255551200");
  assert.ok(!(await rawIds(connection)).includes("4:+14255551200"));
  await connection.removeParticipant({ phoneNumber: "+14255551200" });
  const failed = await application.event("RemoveParticipantFailed", id);
  assert.equal(failed.resultInformation.subCode, 8522);
  await connection.hangUp(true);
  await application.event("CallDisconnected", id);
});

test("a phone that is busy is not added, and the call goes on", async () => {
  const { id, connection } = await up();
  await connection.addParticipant(phone("+14255550486"));
  const failed = await application.event("AddParticipantFailed", id);
  assert.equal(failed.participant.phoneNumber, "+14255550486");
  assert.equal(failed.resultInformation.code, 486);
  assert.equal(failed.resultInformation.subCode, 560486);
  assert.equal(failed.resultInformation.sipDetails.code, 486);
  assert.equal((await connection.getCallConnectionProperties()).callConnectionState, "connected");
  await connection.hangUp(true);
  await application.event("CallDisconnected", id);
});

test("an invitation is taken back, and only once", async () => {
  const { id, connection } = await up();
  const { invitationId } = await connection.addParticipant(phone("+14255550181"));
  await connection.cancelAddParticipantOperation(invitationId);
  const cancelled = await application.event("CancelAddParticipantSucceeded", id);
  assert.equal(cancelled.invitationId, invitationId);
  await connection.cancelAddParticipantOperation(invitationId);
  const failed = await application.event("CancelAddParticipantFailed", id);
  assert.equal(failed.resultInformation.subCode, 8585);
  await connection.hangUp(true);
  await application.event("CallDisconnected", id);
});

test("a user is added with headers for its application, answers, and is muted", async () => {
  const { id, connection } = await up();
  const user = await identities.createUser();
  await connection.addParticipant({
    targetParticipant: user,
    customCallingContext: [{ kind: "voip", key: "ticket", value: "42" }],
  });
  const heard = await application.until(
    () => application.incoming.find((call) => call.to.rawId === user.communicationUserId),
    "IncomingCall",
  );
  assert.equal(heard.customContext.voipHeaders.ticket, "42");
  const answered = await client.answerCall(heard.incomingCallContext, callbacks());
  const other = answered.callConnectionProperties.callConnectionId;
  await application.event("AddParticipantSucceeded", id);
  await connection.muteParticipant(user);
  assert.equal((await connection.getParticipant(user)).isMuted, true);
  await assert.rejects(connection.muteParticipant({ phoneNumber: "+14255550200" }), {
    name: "RestError",
    statusCode: 400,
    code: "8523",
  });
  await connection.removeParticipant(user);
  const over = await application.event("CallDisconnected", other);
  assert.equal(over.resultInformation.subCode, 5000);
  await connection.hangUp(true);
  await application.event("CallDisconnected", id);
});

test("a call is transferred by calling the target from here", async () => {
  const { id, connection } = await up();
  await connection.transferCallToParticipant(
    { phoneNumber: "+14255551201" },
    { operationContext: "over to you", sourceCallIdNumber: shown },
  );
  const accepted = await application.event("CallTransferAccepted", id);
  assert.equal(accepted.operationContext, "over to you");
  assert.equal(accepted.transferTarget.rawId, "4:+14255551201");
  assert.equal(accepted.transferee.rawId, "4:+14255550200");
  const over = await application.event("CallDisconnected", id);
  assert.equal(over.resultInformation.subCode, 7015);
});

test("a call is transferred by its carrier, or not", async () => {
  const { id, connection } = await up("+14255550210");
  await connection.transferCallToParticipant({ phoneNumber: "+14255550203" }, { sourceCallIdNumber: shown });
  await application.event("CallTransferAccepted", id);
  const over = await application.event("CallDisconnected", id);
  assert.equal(over.resultInformation.subCode, 7015);

  for (const [number, code] of [["+14255550211", 603], ["+14255550212", 486]]) {
    const again = await up(number);
    await again.connection.transferCallToParticipant(
      { phoneNumber: "+14255550203" },
      { sourceCallIdNumber: shown },
    );
    const failed = await application.event("CallTransferFailed", again.id);
    assert.equal(failed.resultInformation.code, code);
    await again.connection.hangUp(true);
    await application.event("CallDisconnected", again.id);
  }
});

test("a phone moves from one call to another", async () => {
  const lobby = await up("+14255552200");
  const agent = await up();
  await agent.connection.moveParticipants([{ phoneNumber: "+14255552200" }], lobby.id);
  const moved = await application.event("MoveParticipantSucceeded", agent.id);
  assert.equal(moved.participant.phoneNumber, "+14255552200");
  assert.equal(moved.fromCall, lobby.id);
  const over = await application.event("CallDisconnected", lobby.id);
  assert.equal(over.resultInformation.subCode, 5010);
  assert.ok((await rawIds(agent.connection)).includes("4:+14255552200"));
  const empty = await up("+14255552203");
  await agent.connection.moveParticipants([{ phoneNumber: "+14255559999" }], empty.id);
  const failed = await application.event("MoveParticipantFailed", agent.id);
  assert.equal(failed.resultInformation.subCode, 8522);
  await empty.connection.hangUp(true);
  await agent.connection.hangUp(true);
  await application.event("CallDisconnected", agent.id);
});
