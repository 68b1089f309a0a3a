// Workflows a second, what they cost, and whether they were synced. Knows no crashes.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { Calls, atOnce } from "./calls.mjs";
import { Site, load, spent } from "./processes.mjs";

const within = (times, share) => times[Math.min(Math.floor((times.length * share) / 100), times.length - 1)];
const round = (figure, digits = 2) => Number(figure.toFixed(digits));

/** One row: so many callers for so many seconds, each beginning its next when its own is over. */
async function measured(site, { kind, callers, seconds, prefix }) {
  const calls = new Calls(site.ingress, callers);
  const times = [];
  const sides = () => ({ server: spent(site.pid("server")), handler: spent(site.pid("handler")), driver: process.cpuUsage() });
  const before = sides();
  const began = performance.now();
  const many = await atOnce(callers, () => performance.now() - began < seconds * 1000, async (n) => {
    const at = performance.now();
    await calls.whole(kind, `${prefix}-${n}`);
    times.push(performance.now() - at);
  });
  const took = (performance.now() - began) / 1000;
  const after = sides();
  calls.close();
  times.sort((a, b) => a - b);
  const of = (side, what) => after[side][what] - before[side][what];
  const driver = process.cpuUsage(before.driver);
  return {
    callers,
    workflows: many,
    seconds: round(took),
    per_second: round(many / took, 1),
    p50_ms: round(within(times, 50), 1),
    p99_ms: round(within(times, 99), 1),
    server_cpu_s: round(of("server", "cpu")),
    handler_cpu_s: round(of("handler", "cpu")),
    driver_cpu_s: round((driver.user + driver.system) / 1e6),
    server_cpu_ms_each: round((of("server", "cpu") * 1000) / many),
    handler_cpu_ms_each: round((of("handler", "cpu") * 1000) / many),
    server_bytes_each: Math.round(of("server", "written") / many),
    handler_bytes_each: Math.round(of("handler", "written") / many),
    load: load(),
  };
}

/** Counts syncs of both processes while one caller is at work: with strace, which slows everything, so in a row of its own. */
async function synced(site, prefix) {
  const traced = (name) => {
    const file = join(site.dir, `syncs-${name}`);
    const args = ["-f", "-c", "-e", "trace=fsync,fdatasync", "-o", file, "-p", String(site.pid(name))];
    const child = spawn("strace", args, { stdio: ["ignore", "ignore", "pipe"] });
    const attached = new Promise((done) => {
      child.stderr.once("data", () => done(true));
      child.once("error", () => done(false));
      child.once("exit", () => done(false));
    });
    const ended = new Promise((done) => child.once("close", done));
    return { file, child, attached, ended };
  };
  const all = { server: traced("server"), handler: traced("handler") };
  const attached = await Promise.all(Object.values(all).map(({ attached }) => attached));
  if (!attached.every(Boolean)) {
    for (const { child } of Object.values(all)) child.kill("SIGINT");
    return { synced: "not looked at: strace is missing, or may not trace" };
  }
  const calls = new Calls(site.ingress, 1);
  const began = performance.now();
  const workflows = await atOnce(1, () => performance.now() - began < 3000, (n) => calls.whole("workflow", `${prefix}-${n}`));
  calls.close();
  const found = { workflows };
  for (const [name, { child, ended, file }] of Object.entries(all)) {
    child.kill("SIGINT");
    await ended;
    const rows = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
    const counts = rows.map((row) => row.trim().split(/\s+/)).filter((row) => /^f(data)?sync$/.test(row.at(-1)));
    found[`${name}_syncs`] = counts.reduce((sum, row) => sum + Number(row[3]), 0);
  }
  return found;
}

/** All rows of one kind of step on one fresh site. */
async function rows(root, partitions, effects, wanted, say) {
  const dir = mkdtempSync(join(root, "rates-"));
  const site = await Site.start(dir, { partitions, effects: effects ? join(dir, "effects") : undefined });
  const steps = effects ? "recorded" : "nothing";
  try {
    // The first seconds of a new server and of a handler that is not yet compiled are nobody's rate.
    await measured(site, { kind: "workflow", callers: 16, seconds: 3, prefix: "warm" });
    for (const { kind, callers, seconds } of wanted) {
      await pause(500);
      const prefix = `${kind}-${callers}`;
      say({ row: "rate", steps, kind, partitions, ...(await measured(site, { kind, callers, seconds, prefix })) });
    }
    if (effects) say({ row: "syncs", steps, partitions, ...(await synced(site, "synced")) });
  } finally {
    await site.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** All rates: steps that act on nothing, then steps that record. */
export async function rates(root, { partitions, seconds }, say) {
  const each = [1, 16, 128].map((callers) => ({ kind: "workflow", callers, seconds }));
  await rows(root, partitions, false, [...each, { kind: "service", callers: 128, seconds }], say);
  await rows(root, partitions, true, each, say);
}
