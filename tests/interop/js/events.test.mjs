// The JavaScript SDK's parser reads each callback event as Onhook sends it.

import assert from "node:assert";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { parseCallAutomationEvent } from "@azure/communication-call-automation";

const bodies = JSON.parse(readFileSync(process.env.EVENTS_FILE, "utf8"));

for (const [name, body] of Object.entries(bodies)) {
  test(name, () => {
    const data = JSON.parse(body)[0].data;
    const event = parseCallAutomationEvent(JSON.parse(body));
    assert.strictEqual(event.kind, name);
    assert.strictEqual(event.callConnectionId, data.callConnectionId);
    assert.strictEqual(event.resultInformation.subCode, data.resultInformation.subCode);
    assert.strictEqual(event.operationContext, data.operationContext);
    for (const given of ["participant", "transferTarget", "transferee"]) {
      if (data[given]) {
        assert.ok(event[given].phoneNumber || event[given].communicationUserId, given);
      }
    }
    for (const plain of ["sequenceNumber", "sequenceId", "tone", "invitationId", "fromCall", "state"]) {
      assert.strictEqual(event[plain], data[plain], plain);
    }
  });
}
