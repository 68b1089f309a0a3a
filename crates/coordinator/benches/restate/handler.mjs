// A workflow of five durable steps for Restate, and nothing else: it knows neither its driver nor what is measured.
// `node handler.mjs PORT [FILE]`. Without FILE a step acts on nothing, as the played agent of `flow requests` does; with FILE each step
// puts one line into it that is on the disk before the step is over, so that lost and doubled effects can be counted after a crash.

import { open } from "node:fs/promises";
import { createServer } from "node:http2";
import process from "node:process";
import * as restate from "@restatedev/restate-sdk";

const [port, file] = process.argv.slice(2);

/** Lines that wait go to the disk with one fdatasync, since the handler is not to wait longer than it must. */
async function recorder(path) {
  const handle = await open(path, "a");
  // What a killed handler left of its last line stays a line of its own.
  await handle.appendFile("\n");
  let waiting = [];
  let writing = false;
  const write = async () => {
    writing = true;
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await handle.appendFile(batch.map(({ line }) => `${line}\n`).join(""));
        await handle.datasync();
        for (const { done } of batch) done();
      } catch (error) {
        for (const { failed } of batch) failed(error);
      }
    }
    writing = false;
  };
  return (line) =>
    new Promise((done, failed) => {
      waiting.push({ line, done, failed });
      if (!writing) write();
    });
}

const effect = file === undefined ? async () => {} : await recorder(file);

async function five(ctx, id) {
  for (let step = 1; step <= 5; step += 1) {
    await ctx.run(`step-${step}`, async () => {
      await effect(`${id} ${step} ${process.pid}`);
      return step;
    });
  }
  return "over";
}

const workflow = restate.workflow({ name: "Erasure", handlers: { run: async (ctx) => five(ctx, ctx.key) } });
// The same without a key of its own, so without Restate's lock on the key and its retention of the outcome.
const service = restate.service({ name: "Steps", handlers: { run: async (ctx, id) => five(ctx, id) } });

const handles = restate.createEndpointHandler({ services: [workflow, service] });
createServer(handles).listen(Number(port), "127.0.0.1");
