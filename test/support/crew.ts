/** Worker processes kept at strength, as a container service keeps them: one that dies is replaced. */

import type { Scene } from './scene.ts';
import type { WorkerProcess } from './worker-process.ts';

export interface Crew {
  /** Kills the worker of this name with SIGKILL, at once; another one takes its place. */
  kill(name: string): void;
  /** How many were killed so far. */
  readonly killed: number;
  /** Replaces no more, and ends all. */
  stop(): Promise<void>;
}

export async function startCrew(
  scene: Scene,
  size: number,
  settings: Readonly<Record<string, string>>,
): Promise<Crew> {
  const members = new Map<string, WorkerProcess>();
  const starting = new Set<Promise<void>>();
  let stopping = false;
  let killed = 0;

  const hire = (): Promise<void> => {
    const hired = scene.worker(settings).then((worker) => {
      members.set(worker.name, worker);
    });
    starting.add(hired);
    return hired.finally(() => starting.delete(hired));
  };
  await Promise.all(Array.from({ length: size }, hire));
  return {
    kill(name) {
      const worker = members.get(name);
      if (worker === undefined) throw new Error(`no worker ${name} to kill`);
      worker.signal('SIGKILL');
      members.delete(name);
      killed++;
      if (!stopping) void worker.exit.then(hire);
    },
    get killed() {
      return killed;
    },
    async stop() {
      stopping = true;
      await Promise.all(starting);
      await Promise.all([...members.values()].map((worker) => worker.stop()));
    },
  };
}
