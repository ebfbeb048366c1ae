/**
 * Loaded into a worker process before anything else (`node --import`): shifts its wall clock by the seconds
 * that the file CHAOS_CLOCK_FILE says, in every thread, as soon as the file changes. Durations are measured
 * on the monotonic clock and stay true, as with a real clock that is set.
 */

import { readFileSync } from 'node:fs';

const LOOK_EVERY_MS = 100;

const file = process.env.CHAOS_CLOCK_FILE;
const TrueDate = Date;
let offsetMs = 0;

function look(path: string): void {
  try {
    offsetMs = Number(readFileSync(path, 'utf8')) * 1_000 || 0;
  } catch {
    // Not there before the first step.
  }
}

if (file !== undefined) {
  const now = () => TrueDate.now() + offsetMs;
  globalThis.Date = new Proxy(TrueDate, {
    construct: (target, values, made) =>
      Reflect.construct(target, values.length === 0 ? [now()] : values, made) as Date,
    apply: () => new TrueDate(now()).toString(),
    get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
  });
  look(file);
  setInterval(() => look(file), LOOK_EVERY_MS).unref();
}
