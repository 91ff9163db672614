// The JavaScript SDK, unmodified, fetches and deletes a recording of the server.
//
// It refuses all hosts but Microsoft's. RECORDING_URL has such a name; it is resolved to this machine, as a
// line in /etc/hosts would do.
import assert from "node:assert/strict";
import dns from "node:dns";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { CallAutomationClient } from "@azure/communication-call-automation";

const url = process.env.RECORDING_URL;
const host = new URL(url).hostname;
const resolve = dns.lookup;
dns.lookup = (name, ...how) => resolve(name === host ? "127.0.0.1" : name, ...how);

const connection = process.env.COMMUNICATION_SERVICES_CONNECTION_STRING;
const recordings = new CallAutomationClient(connection).getCallRecording();

async function whole(stream) {
  return Buffer.concat(await Array.fromAsync(stream));
}

test("content, a piece of it, and metadata", async () => {
  const content = await readFile(process.env.RECORDING_FILE);
  const streamed = await whole(await recordings.downloadStreaming(`${url}/content/audio`));
  assert.deepEqual(streamed, content);

  const piece = await recordings.downloadStreaming(`${url}/content/audio`, { offset: 100, length: 50 });
  assert.deepEqual(await whole(piece), content.subarray(100, 150));

  const path = join(tmpdir(), `onhook-${process.pid}.wav`);
  await recordings.downloadToPath(`${url}/content/audio`, path);
  assert.deepEqual(await readFile(path), content);

  const metadata = await whole(await recordings.downloadStreaming(`${url}/content/acsmetadata?a=b`));
  assert.equal(JSON.parse(metadata).chunkDuration, 1000);
});

test("what is deleted is gone, and the SDK says why", async () => {
  await recordings.delete(url);
  await assert.rejects(recordings.delete(url), (refusal) => {
    assert.equal(refusal.status, 404);
    assert.match(refusal.message, /No recording of this resource is/);
    return true;
  });
});

test("another host is refused by the SDK itself", async () => {
  const elsewhere = url.replace(host, "localhost");
  await assert.rejects(recordings.downloadStreaming(elsewhere), /not a valid Azure Communication Services/);
});
