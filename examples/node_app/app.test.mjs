// Every way a call of the reminder service can end, each from its cause, in a few seconds:
//
//     npm install
//     onhook exec -- npm test
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Reminders } from "./app.mjs";

const onhook = process.env.ONHOOK_URL;
const reminders = new Reminders();

before(() => reminders.listen());
after(() => reminders.close());

/** What Onhook says of a call, once it is over. */
async function why(call) {
  for (;;) {
    const answer = await fetch(`${onhook}/onhook/calls/${call}/why?format=json`);
    const told = await answer.json();
    if (!told.open) {
      return told;
    }
    await sleep(20);
  }
}

/** What the service made of a call; it is told a moment after the call is over. */
async function outcome(call, expected) {
  for (let tries = 0; tries < 250 && reminders.outcomes.get(call) !== expected; tries += 1) {
    await sleep(20);
  }
  return reminders.outcomes.get(call);
}

// The last three digits of a number say what its telephone does.
const ENDINGS = [
  ["486", "callee-busy", "busy: try again in 10 minutes"],
  ["600", "busy-everywhere", "busy: try again in 10 minutes"],
  ["603", "callee-declined", "declined: do not call again"],
  ["480", "callee-unavailable", "nobody there: try again tomorrow"],
  ["181", "rang-out", "nobody there: try again tomorrow"], // 115 seconds of ringing
  ["000", "trunk-silent", "nobody there: try again tomorrow"], // 32 seconds of silence
  ["404", "number-not-found", "wrong number: ask the customer"],
  ["403", "call-forbidden", "not allowed to call this number"],
  ["503", "trunk-unavailable", "failed with 503: tell the operator"],
  ["201", "hung-up-by-phone", "done"],
  ["206", "hung-up-by-network", "done"],
  ["205", "answer-unusable", "failed with 410: tell the operator"],
];

for (const [digits, ending, expected] of ENDINGS) {
  test(`a reminder that ends as ${ending}`, async () => {
    const call = await reminders.remind(`+14255550${digits}`);
    const told = await why(call);
    assert.equal(told.ending, ending, told.meaning);
    assert.equal(await outcome(call, expected), expected);
  });
}

test("a reminder that we end", async () => {
  const call = await reminders.remind("+14255550200");
  assert.equal(await outcome(call, "talking"), "talking");
  await reminders.hangUp(call);
  assert.equal((await why(call)).ending, "hung-up-by-app");
  assert.equal(await outcome(call, "done"), "done");
});
