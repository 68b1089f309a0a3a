// The server, and in another run the handler, killed in mid-run with SIGKILL and started again; then every effect is counted.
// An effect is lost when an acknowledged workflow did not do it, and doubled when it was done twice.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Calls, atOnce } from "./calls.mjs";
import { Site, load, until } from "./processes.mjs";

const STEPS = 5;
const CALLERS = 64;
/** How often all effects are counted while a moment is waited for: reading them costs computing that both sides need. */
const LOOK_MS = 25;

/** How often each step of each workflow was done, by `ID STEP`. */
function counted(file) {
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
  const times = new Map();
  let torn = 0;
  for (const line of lines) {
    const whole = /^(w-\d+ [1-5]) \d+$/.exec(line);
    if (whole) times.set(whole[1], (times.get(whole[1]) ?? 0) + 1);
    else torn += 1;
  }
  return { times, torn };
}

const effects = (file) => [...counted(file).times.values()].reduce((sum, times) => sum + times, 0);

/** Kills one of both when a quarter, a half and three quarters of all effects are done. */
async function killed(site, victim, workflows, file) {
  const back = [];
  for (const share of [0.25, 0.5, 0.75]) {
    await until("effects", () => effects(file) >= workflows * STEPS * share, LOOK_MS);
    const at = performance.now();
    await site.kill(victim);
    // A handler that lives on ends the steps that it has in hand: they are no sign that the server is back.
    if (victim === "server") await site.startServer();
    const then = effects(file);
    if (victim === "handler") await site.startHandler();
    await until("the next effect", () => effects(file) > then, LOOK_MS);
    back.push(Math.round(performance.now() - at));
  }
  return back;
}

async function run(root, victim, { partitions, workflows }) {
  const dir = mkdtempSync(join(root, "kills-"));
  const file = join(dir, "effects");
  const site = await Site.start(dir, { partitions, effects: file });
  const calls = new Calls(site.ingress, CALLERS);
  try {
    const deadline = performance.now() + 60_000;
    const kills = killed(site, victim, workflows, file);
    let again = 0;
    let over = 0;
    const work = async (n) => {
      if (await calls.acknowledged(`w-${n}`)) again += 1;
      if (await calls.over(`w-${n}`, deadline)) over += 1;
    };
    const [back] = await Promise.all([kills, atOnce(CALLERS, (n) => n < workflows, work)]);
    const { times, torn } = counted(file);
    const wanted = Array.from({ length: workflows * STEPS }, (_, n) => `w-${Math.floor(n / STEPS)} ${(n % STEPS) + 1}`);
    return {
      killed: victim,
      kills: back.length,
      workflows,
      told_again: again,
      over,
      lost: wanted.filter((step) => !times.has(step)).length,
      doubled: wanted.filter((step) => (times.get(step) ?? 0) > 1).length,
      torn,
      next_effect_after_ms: back,
      load: load(),
    };
  } finally {
    calls.close();
    await site.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Both runs. */
export async function kills(root, options, say) {
  for (const victim of ["server", "handler"]) say({ row: "kill", ...(await run(root, victim, options)) });
}
