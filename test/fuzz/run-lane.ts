/** Starts a lane's process for some jobs, and tells what came of them, even where the process died. */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LaneJob, LaneOrder, TargetReport } from './lane.ts';
import { inputOf } from './thread.ts';

function deathReport({ target, seed, from }: LaneJob, statusFile: string, why: string): TargetReport {
  const number = existsSync(statusFile) ? Number.parseInt(readFileSync(statusFile, 'utf8'), 10) : from;
  const signature = `the process died: ${why}`;
  const failure = { number, signature, detail: '', input: inputOf(target, seed, number) };
  const none = { inputs: 0, cpuSeconds: 0, outcomes: {}, samples: [], growth: [] };
  return { target, failures: [failure], counts: { [signature]: 1 }, ...none };
}

/** The reports of the jobs, in order. Of one whose process died it says so; what came after it is begun anew. */
export async function runLane(jobs: readonly LaneJob[]): Promise<TargetReport[]> {
  const statusFile = join(tmpdir(), `tidemill-fuzz-${process.pid}-${jobs[0]?.target}`);
  const child = fork(new URL('lane.ts', import.meta.url), [], {
    execArgv: [],
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const reports: TargetReport[] = [];
  child.on('message', (message) => void reports.push(message as TargetReport));
  child.send({ jobs, statusFile } satisfies LaneOrder);
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  const dead = jobs[reports.length];
  if (dead !== undefined) {
    reports.push(deathReport(dead, statusFile, `exit code ${code}, signal ${signal}`));
    const left = jobs.slice(reports.length);
    if (left.length > 0) reports.push(...(await runLane(left)));
  }
  rmSync(statusFile, { force: true });
  return reports;
}
