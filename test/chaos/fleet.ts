/**
 * The worker processes of a run and what is done to them. There is a fixed number of posts; a process
 * that was killed or drained is replaced at its post, as a container service does. Each has a temporary
 * directory of its own, and each post a clock.
 */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/common/clock.ts';
import { type LaunchedProcess, launch } from '../support/worker-process.ts';
import type { ProcessLife } from './history.ts';

const START_MS = 60_000;
const STOP_MS = 30_000;
const PEAK_EVERY_MS = 500;
const PRELOAD = new URL('clock-preload.ts', import.meta.url);

export interface FleetOptions {
  /** What the processes' names begin with. */
  readonly lane: string;
  /** How many processes there are at a time. */
  readonly size: number;
  readonly environment: Readonly<Record<string, string>>;
  /** The entry of the build to run. */
  readonly main: string;
  /** For temporary directories and clocks. */
  readonly directory: string;
  /** Whether clocks can be moved. */
  readonly clocks: boolean;
  /** Milliseconds since the start of the run. */
  readonly now: () => number;
  readonly tell: (line: string) => void;
}

interface Member {
  readonly post: number;
  readonly process: LaunchedProcess;
  readonly startedAt: number;
  readonly temporary: string;
  readonly deeds: { at: number; deed: string; value?: number }[];
  peakKiB: number;
  paused: boolean;
}

export interface Fleet {
  /** The process at a post now; undefined while it is being replaced. */
  at(post: number): string | undefined;
  kill(name: string): Promise<void>;
  /** Stops a process with SIGSTOP for so long. */
  pause(name: string, ms: number): Promise<void>;
  /** SIGTERM; the process ends by itself. */
  drain(name: string): Promise<void>;
  /** Moves the clock of a post. */
  setClock(post: number, seconds: number): void;
  /** Resolves when every deed is done and every replacement runs. */
  quiet(): Promise<void>;
  /** Kills whatever still runs; for a run that could not be carried out. */
  abandon(): void;
  /** Drains all for good; what became of each process, in the order of their starts. */
  end(): Promise<ProcessLife[]>;
}

export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { lane, size, directory, now, tell } = options;
  const members = new Map<string, Member>();
  const lives: ProcessLife[] = [];
  const busy = new Set<Promise<void>>();
  let started = 0;
  let ending = false;

  const look = (member: Member) => {
    try {
      const status = readFileSync(`/proc/${member.process.pid}/status`, 'utf8');
      member.peakKiB = Math.max(member.peakKiB, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
    } catch {
      // It is gone.
    }
  };
  const unwatch = systemClock.every(PEAK_EVERY_MS, () => members.forEach(look));

  async function hire(post: number): Promise<void> {
    const name = `${lane}-w${++started}`;
    const temporary = join(directory, 'tmp', name);
    mkdirSync(temporary, { recursive: true });
    const environment = {
      ...options.environment,
      TMPDIR: temporary,
      NODE_OPTIONS: '--cpu-prof --cpu-prof-interval 500 --cpu-prof-dir=/tmp/prof2',
      ...(options.clocks
        ? { NODE_OPTIONS: `--import ${PRELOAD.href}`, CHAOS_CLOCK_FILE: clockFile(post) }
        : {}),
    };
    const startedAt = now();
    const launched = launch(name, environment, options.main);
    const member: Member = {
      post,
      process: launched,
      startedAt,
      temporary,
      deeds: [],
      peakKiB: 0,
      paused: false,
    };
    members.set(name, member);
    void launched.exit.then(({ code, signal }) => {
      members.delete(name);
      lives.push({
        name,
        startedAt,
        endedAt: now(),
        exitCode: code,
        exitSignal: signal,
        deeds: member.deeds,
        log: launched.log,
        complaints: launched.complaints(),
        peakKiB: member.peakKiB,
        leftovers: readdirSync(temporary),
      });
      tell(`${name} ended with ${signal ?? `code ${code}`}`);
    });
    await launched.logged('the worker runs', { timeoutMs: START_MS }).catch((error: unknown) => {
      // Killed while it started: its replacement is under way.
      if (launched.isRunning()) throw error;
    });
    tell(`${name} runs`);
  }

  const clockFile = (post: number) => join(directory, 'tmp', `clock-${post}`);

  /** Keeps a piece of work in sight of `quiet`. */
  async function track(work: Promise<void>): Promise<void> {
    busy.add(work);
    await work.finally(() => busy.delete(work));
  }

  function note(member: Member, deed: string, value?: number): void {
    member.deeds.push({ at: now(), deed, ...(value === undefined ? {} : { value }) });
    tell(`${member.process.name}: ${deed}${value === undefined ? '' : ` ${value}`}`);
  }

  function running(name: string): Member | undefined {
    const member = members.get(name);
    return member?.process.isRunning() ? member : undefined;
  }

  function replace(member: Member): void {
    void track(
      member.process.exit.then(async () => {
        if (!ending) await hire(member.post);
      }),
    );
  }

  // Nothing of a run outlives it, however it ends.
  const killAll = () => {
    for (const { process: worker } of members.values()) worker.signal('SIGKILL');
  };
  process.once('exit', killAll);
  mkdirSync(join(directory, 'tmp'), { recursive: true });
  await Promise.all(Array.from({ length: size }, (_, post) => hire(post)));

  return {
    at: (post) => [...members.values()].findLast((member) => member.post === post)?.process.name,
    async kill(name) {
      const member = running(name);
      if (member === undefined) return;
      look(member);
      note(member, 'kill');
      replace(member);
      await member.process.kill();
    },
    async pause(name, ms) {
      const member = running(name);
      if (member === undefined || member.paused) return;
      member.paused = true;
      note(member, 'stop', ms);
      member.process.signal('SIGSTOP');
      await track(
        systemClock.sleep(ms).then(() => {
          member.paused = false;
          member.process.signal('SIGCONT');
          note(member, 'continue');
        }),
      );
    },
    async drain(name) {
      const member = running(name);
      if (member === undefined) return;
      look(member);
      note(member, 'drain');
      replace(member);
      member.process.signal('SIGTERM');
      await member.process.exit;
    },
    setClock(post, seconds) {
      writeFileSync(clockFile(post), String(seconds));
      const member = [...members.values()].findLast((each) => each.post === post);
      if (member !== undefined) note(member, 'clock', seconds);
    },
    async quiet() {
      while (busy.size > 0) await Promise.all(busy);
    },
    abandon() {
      ending = true;
      unwatch();
      killAll();
      process.off('exit', killAll);
    },
    async end() {
      ending = true;
      unwatch();
      await Promise.all(
        [...members.values()].map(async (member) => {
          look(member);
          note(member, 'drain');
          await member.process.stop(STOP_MS).catch((error: unknown) => tell(String(error)));
        }),
      );
      while (members.size > 0) await systemClock.sleep(5);
      process.off('exit', killAll);
      return lives.toSorted((a, b) => a.startedAt - b.startedAt);
    },
  };
}
