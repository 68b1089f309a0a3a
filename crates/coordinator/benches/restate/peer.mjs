// The peer of `flow requests`: Restate running a workflow of five durable steps on the machine that this runs on. `./dev --part restate`
// installs it and runs `node peer.mjs [rates|kills]...`. JSON lines go to standard error, tables in Markdown to standard output.
// PEER_SECONDS is a row's length, PEER_PARTITIONS Restate's, PEER_WORKFLOWS how many a run with kills has.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { kills } from "./kills.mjs";
import { endAll } from "./processes.mjs";
import { rates } from "./rates.mjs";

const env = (name, otherwise) => Number(process.env[name] ?? otherwise);
const options = {
  partitions: env("PEER_PARTITIONS", 4),
  seconds: env("PEER_SECONDS", 8),
  workflows: env("PEER_WORKFLOWS", 1500),
};
const parts = process.argv.slice(2);

const found = [];
const say = (row) => {
  found.push(row);
  console.error(JSON.stringify(row));
};

const TABLES = {
  rate: "steps kind callers per_second p50_ms p99_ms server_cpu_ms_each handler_cpu_ms_each driver_cpu_s server_bytes_each handler_bytes_each load",
  syncs: "steps workflows server_syncs handler_syncs synced",
  kill: "killed kills workflows told_again over lost doubled torn next_effect_after_ms load",
};

function table(name) {
  const rows = found.filter(({ row }) => row === name);
  if (rows.length === 0) return "";
  const columns = TABLES[name].split(" ").filter((column) => rows.some((row) => row[column] !== undefined));
  const line = (cells) => `| ${cells.join(" | ")} |`;
  const cell = (value) => (Array.isArray(value) ? value.join(", ") : String(value ?? ""));
  const head = [line(columns.map((column) => column.replaceAll("_", " "))), line(columns.map(() => "---:"))];
  return [...head, ...rows.map((row) => line(columns.map((column) => cell(row[column])))), ""].join("\n");
}

const root = mkdtempSync(join(process.env.PEER_DIR ?? tmpdir(), "restate-peer-"));
// Told to end, it ends what it started, too.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => endAll().then(() => process.exit(1)));
try {
  if (parts.length === 0 || parts.includes("rates")) await rates(root, options, say);
  if (parts.length === 0 || parts.includes("kills")) await kills(root, options, say);
} finally {
  rmSync(root, { recursive: true, force: true });
}
console.log(["rate", "syncs", "kill"].map(table).filter(Boolean).join("\n"));
