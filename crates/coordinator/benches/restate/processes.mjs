// Starts and ends Restate's server and the handler, by process id, and reads what the kernel counted of them.
// It knows nothing of workflows. Everything lies in one temporary folder and listens on loopback only.

import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { arch, platform } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const PATIENCE_MS = 60_000;

/** Looks at a state until it holds, with a bound. */
export async function until(what, holds, everyMs = 5) {
  const began = performance.now();
  for (;;) {
    const found = await holds();
    if (found) return found;
    if (performance.now() - began > PATIENCE_MS) throw new Error(`waited ${PATIENCE_MS / 1000} s for ${what}`);
    await pause(everyMs);
  }
}

/** A free odd port on loopback. */
async function oddPort() {
  for (let tries = 0; tries < 200; tries += 1) {
    const server = createServer();
    await new Promise((done, failed) => server.once("error", failed).listen(0, "127.0.0.1", done));
    const { port } = server.address();
    await new Promise((done) => server.close(done));
    if (port % 2 === 1) return port;
  }
  throw new Error("no free odd port on loopback");
}

async function answers(url, options) {
  try {
    const answer = await fetch(url, { ...options, signal: AbortSignal.timeout(20_000) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}

const running = new Set();

/** Ends every site that was not stopped. */
export async function endAll() {
  for (const site of running) await site.stop();
}

/** Restate's server and the handler, with what each was started with, so that it can be started again after a kill. */
export class Site {
  constructor(dir, { partitions, effects }) {
    this.dir = dir;
    this.partitions = partitions;
    this.effects = effects;
    this.all = {};
  }

  static async start(dir, options) {
    const site = new Site(dir, options);
    running.add(site);
    mkdirSync(join(dir, "server"), { recursive: true });
    site.ports = { node: await oddPort(), ingress: await oddPort(), admin: await oddPort(), handler: await oddPort() };
    site.ingress = `http://127.0.0.1:${site.ports.ingress}`;
    await Promise.all([site.startServer(), site.startHandler()]);
    const deployment = { uri: `http://127.0.0.1:${site.ports.handler}` };
    const headers = { "content-type": "application/json" };
    const register = { method: "POST", headers, body: JSON.stringify(deployment) };
    await until("the handler to be registered", () => answers(`http://127.0.0.1:${site.ports.admin}/deployments`, register));
    return site;
  }

  async startServer() {
    const { node, ingress, admin } = this.ports;
    const modules = join(import.meta.dirname, "node_modules/@restatedev");
    this.spawn("server", join(modules, `restate-server-${platform()}-${arch()}/bin/restate-server`), ["--no-logo"], {
      RESTATE_DISABLE_TELEMETRY: "true",
      RESTATE_BASE_DIR: join(this.dir, "server"),
      RESTATE_NODE_NAME: "peer",
      RESTATE_LISTEN_MODE: "tcp",
      RESTATE_BIND_IP: "127.0.0.1",
      RESTATE_BIND_PORT: String(node),
      RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
      RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
      RESTATE_DEFAULT_NUM_PARTITIONS: String(this.partitions),
      // Both are the default; said, so that nobody has to believe it.
      RESTATE_LOG_SERVER__ROCKSDB_DISABLE_WAL_FSYNC: "false",
      RESTATE_BIFROST__LOCAL__ROCKSDB_DISABLE_WAL_FSYNC: "false",
      RESTATE_LOG_FILTER: "warn",
      RESTATE_LOG_DISABLE_ANSI_CODES: "true",
    });
    await until("the server to answer", () => answers(`${this.ingress}/restate/health`));
  }

  async startHandler() {
    const args = [join(import.meta.dirname, "handler.mjs"), String(this.ports.handler)];
    if (this.effects) args.push(this.effects);
    this.spawn("handler", process.execPath, args, { NODE_ENV: "production", RESTATE_LOGGING: "ERROR" });
  }

  spawn(name, program, args, env) {
    const log = openSync(join(this.dir, `${name}.log`), "a");
    const child = spawn(program, args, { env: { PATH: process.env.PATH, ...env }, stdio: ["ignore", log, log] });
    closeSync(log);
    const ended = new Promise((done) => child.once("exit", done));
    child.once("error", (error) => console.error(`${name}: ${error.message}`));
    this.all[name] = { child, ended };
  }

  pid(name) {
    const { child } = this.all[name];
    if (child.exitCode !== null || child.signalCode !== null) {
      const log = readFileSync(join(this.dir, `${name}.log`), "utf8");
      throw new Error(`${name} ended by itself:\n${log.slice(-2000)}`);
    }
    return child.pid;
  }

  /** SIGKILL to its id, as a crash would. */
  async kill(name) {
    process.kill(this.pid(name), "SIGKILL");
    await this.all[name].ended;
  }

  async stop() {
    running.delete(this);
    for (const { child, ended } of Object.values(this.all)) {
      child.kill("SIGKILL");
      await ended;
    }
  }
}

/** Seconds of computing and bytes written of a process so far. The kernel counts computing in hundredths of a second. */
export function spent(pid) {
  const after = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop().split(" ");
  const io = Object.fromEntries(
    readFileSync(`/proc/${pid}/io`, "utf8").trim().split("\n").map((line) => line.split(": ")),
  );
  return { cpu: (Number(after[11]) + Number(after[12])) / 100, written: Number(io.write_bytes) };
}

export const load = () => readFileSync("/proc/loadavg", "utf8").split(" ")[0];
