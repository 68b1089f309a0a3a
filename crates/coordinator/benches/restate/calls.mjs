// How Restate's ingress is spoken to: connections that stay open, nothing but Node's own client. Knows no figures.

import { Agent, request } from "node:http";

/** As many connections as there are callers. */
export class Calls {
  constructor(ingress, callers) {
    this.ingress = ingress;
    this.agent = new Agent({ keepAlive: true, maxSockets: callers });
  }

  /** Status and text of an answer. Fails when there is none. */
  say(method, path, body) {
    return new Promise((done, failed) => {
      const sent = request(`${this.ingress}${path}`, { method, agent: this.agent, timeout: 60_000 }, (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (part) => (text += part));
        answer.on("end", () => done({ status: answer.statusCode, text }));
        answer.on("error", failed);
      });
      sent.on("timeout", () => sent.destroy(new Error("no answer within a minute")));
      sent.on("error", failed);
      if (body !== undefined) {
        sent.setHeader("content-type", "application/json");
        sent.write(JSON.stringify(body));
      }
      sent.end();
    });
  }

  /** Begins one and waits for its end. */
  async whole(kind, id) {
    const { status, text } =
      kind === "workflow"
        ? await this.say("POST", `/Erasure/${id}/run`)
        : await this.say("POST", "/Steps/run", id);
    if (status !== 200 || text !== '"over"') throw new Error(`${kind} ${id} ended with ${status} ${text}`);
  }

  /** Tells of a workflow until that is acknowledged, through whatever crashes. Whether it had to be said again. */
  async acknowledged(id) {
    for (let again = false; ; again = true) {
      const answer = await this.say("POST", `/Erasure/${id}/run/send`).catch(() => undefined);
      if (answer !== undefined && answer.status < 300) return again;
      if (answer !== undefined && answer.status < 500) throw new Error(`${id}: ${answer.status} ${answer.text}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  /** Waits for the end of an acknowledged workflow, through whatever crashes. */
  async over(id, until) {
    while (performance.now() < until) {
      const answer = await this.say("GET", `/restate/workflow/Erasure/${id}/attach`).catch(() => undefined);
      if (answer?.status === 200) return answer.text === '"over"';
      await new Promise((done) => setTimeout(done, 50));
    }
    return false;
  }

  close() {
    this.agent.destroy();
  }
}

/** So many callers that each take the next number as soon as their own work is over, as long as `goesOn` says. */
export async function atOnce(callers, goesOn, work) {
  let next = 0;
  const caller = async () => {
    while (goesOn(next)) {
      const n = next;
      next += 1;
      await work(n);
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return next;
}
