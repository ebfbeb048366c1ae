/** The CPU time of this process with its threads, and of its children that have ended. Linux only. */

import { readFile } from 'node:fs/promises';

/** `sysconf(_SC_CLK_TCK)`, which is 100 on every Linux that Node runs on. */
const TICKS = 100;

export interface CpuSeconds {
  readonly own: number;
  readonly children: number;
}

export async function cpuSeconds(pid: number | 'self' = 'self'): Promise<CpuSeconds> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The second field, the name, may hold blanks; the eleventh after it is utime.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11, 15);
  return { own: (user + system) / TICKS, children: (childrenUser + childrenSystem) / TICKS };
}
