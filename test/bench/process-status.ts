/** What another process has used, by /proc. */

import { readFileSync } from 'node:fs';

function statusField(pid: number, field: string): number {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8')
    .split('\n')
    .find((one) => one.startsWith(field));
  return Number(line?.match(/(\d+) kB/)?.[1] ?? Number.NaN) / 1024;
}

/** Peak resident memory of another process, in MiB. */
export const peakMbOf = (pid: number) => statusField(pid, 'VmHWM');
/** Resident memory of another process now, in MiB. */
export const residentMbOf = (pid: number) => statusField(pid, 'VmRSS');

const TICKS_A_SECOND = 100;

/** Seconds of CPU that another process has used so far, in user and system mode. */
export function cpuSecondsOf(pid: number): number {
  const [, rest = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const fields = rest.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}
