// The JavaScript SDK places calls to test numbers of the built-in carrier.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { CallAutomationClient } from "@azure/communication-call-automation";

import { Application } from "./application.mjs";

const client = new CallAutomationClient(process.env.COMMUNICATION_SERVICES_CONNECTION_STRING);
const application = new Application();

before(() => application.listen());
after(() => application.close());

function call(number, options = {}) {
  const invite = {
    targetParticipant: { phoneNumber: number },
    sourceCallIdNumber: { phoneNumber: "+14255550100" },
    sourceDisplayName: "JavaScript",
  };
  return client.createCall(invite, `${application.uri}/events?key=secret`, options);
}

test("a call that is answered, looked at and hung up", async () => {
  const created = await call("+14255550200", { operationContext: "round" });
  const properties = created.callConnectionProperties;
  const id = properties.callConnectionId;
  assert.equal(properties.callConnectionState, "connecting");
  assert.deepEqual(properties.targetParticipants, [
    { phoneNumber: "+14255550200", rawId: "4:+14255550200" },
  ]);

  const connected = await application.event("CallConnected", id);
  assert.equal(connected.operationContext, "round");
  assert.equal(connected.serverCallId, properties.serverCallId);
  const updated = await application.event("ParticipantsUpdated", id);
  assert.equal(updated.sequenceNumber, 1);
  assert.ok(updated.participants.some(({ identifier }) => identifier.phoneNumber === "+14255550200"));

  const connection = client.getCallConnection(id);
  assert.equal((await connection.getCallConnectionProperties()).callConnectionState, "connected");
  const { values } = await connection.listParticipants();
  assert.equal(values.length, 2);
  const phone = await connection.getParticipant({ phoneNumber: "+14255550200" });
  assert.equal(phone.isMuted, false);

  await connection.hangUp(true);
  const over = await application.event("CallDisconnected", id);
  assert.equal(over.resultInformation.code, 200);
  assert.equal(over.resultInformation.subCode, 7000);
  assert.deepEqual(application.kinds(id), ["CallConnected", "ParticipantsUpdated", "CallDisconnected"]);
});

test("a number that is busy", async () => {
  const created = await call("+14255550486");
  const id = created.callConnectionProperties.callConnectionId;
  const failed = await application.event("CreateCallFailed", id);
  assert.equal(failed.resultInformation.code, 486);
  assert.equal(failed.resultInformation.subCode, 560486);
  assert.deepEqual(application.kinds(id), ["CreateCallFailed"]);
});

test("a call that is not there any more", async () => {
  const refused = client.getCallConnection("no-such-call").getCallConnectionProperties();
  await assert.rejects(refused, { name: "RestError", statusCode: 404, code: "8522" });
});

test("a callback address that ACS refuses", async () => {
  const invite = { targetParticipant: { phoneNumber: "+14255550200" } };
  await assert.rejects(client.createCall(invite, "http://app.example/events"), {
    name: "RestError",
    statusCode: 400,
    code: "8523",
    message: /The field CallbackUri is invalid/,
  });
});
