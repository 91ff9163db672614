// Every message that the server sent by WebSocket is read by the JavaScript SDK's own parser.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { StreamingData } from "@azure/communication-call-automation";

const messages = JSON.parse(await readFile(process.env.MESSAGES));

test("all of them are read, and say what they are", () => {
  const kinds = new Map();
  for (const message of messages) {
    const read = StreamingData.parse(message);
    const kind = StreamingData.getStreamingKind();
    kinds.set(kind, [...(kinds.get(kind) ?? []), read]);
  }
  assert.deepEqual([...kinds.keys()].sort(), JSON.parse(process.env.KINDS));
  for (const audio of kinds.get("AudioData") ?? []) {
    assert.equal(Buffer.from(audio.data, "base64").length, 640);
    assert.ok(!Number.isNaN(Date.parse(audio.timestamp)));
    assert.equal(typeof audio.isSilent, "boolean");
  }
  for (const { encoding, sampleRate, channels } of kinds.get("AudioMetadata") ?? []) {
    assert.deepEqual({ encoding, sampleRate, channels }, { encoding: "PCM", sampleRate: 16000, channels: 1 });
  }
  for (const said of kinds.get("TranscriptionData") ?? []) {
    assert.ok(said.words.length > 0);
    assert.ok(said.participant.kind || said.participant.phoneNumber);
    assert.equal(said.resultState, "Final");
  }
  const named = (kinds.get("AudioData") ?? []).filter((audio) => audio.participant);
  for (const { participant } of named) {
    assert.ok(participant.phoneNumber || participant.communicationUserId);
  }
});
