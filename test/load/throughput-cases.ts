/** How fast a worker is, and how long its requests wait: against concurrency, with many waiting, with many groups. */

import { systemClock } from '../../src/common/clock.ts';
import { cpuSecondsOf, peakMbOf, residentMbOf } from '../bench/process-status.ts';
import type { LoadCase, LoadOptions, LoadReport } from './load-case.ts';
import { figures, latenciesOf, quantile, table } from './report.ts';
import { metricRun, putDataset } from './requests.ts';
import { type Finished, openStage, type Stage } from './stage.ts';

/** What a worker did in a stretch of time, and what it took. */
interface Stretch {
  readonly perSecond: number;
  readonly finished: readonly Finished[];
  /** Milliseconds of the processor a request: a busy machine changes it little. */
  readonly cpuMs: number;
}

/** Does `work`, and measures until `count` more requests are finished. */
async function stretch(stage: Stage, count: number, work: () => Promise<void>): Promise<Stretch> {
  const before = stage.finished.length;
  const cpu = cpuSecondsOf(stage.worker.pid);
  const started = systemClock.monotonic();
  await work();
  await stage.until(before + count);
  const finished = stage.finished.slice(before, before + count);
  const seconds = (Math.max(...finished.map(({ at }) => at)) - started) / 1000;
  const cpuMs = ((cpuSecondsOf(stage.worker.pid) - cpu) * 1000) / count;
  return { perSecond: count / seconds, finished, cpuMs };
}

const burst = (stage: Stage, name: string, count: number, groups: number) =>
  stretch(stage, count, () =>
    stage.send(Array.from({ length: count }, (_, n) => metricRun(name, n, groups))),
  );

/** One by one, at a steady rate. */
const paced = (stage: Stage, name: string, count: number, groups: number, perSecond: number) =>
  stretch(stage, count, async () => {
    const started = systemClock.monotonic();
    for (let n = 0; n < count; n++) {
      const wait = started + (n * 1000) / perSecond - systemClock.monotonic();
      if (wait > 0) await systemClock.sleep(wait);
      await stage.send([metricRun(name, n, groups)]);
    }
  });

/** So that code is compiled and the series are in memory. */
const WARM_UP = 60;
const GROUPS = 50;

const CONCURRENCIES = [1, 2, 4, 8, 16];
const BURST = 300;
const PACED = 150;
/** Of the throughput: latency is what a request takes, not what it waits for others. */
const PACE = 0.5;

async function concurrency({ say }: LoadOptions): Promise<LoadReport> {
  const rows: string[][] = [];
  const points: [number, number][] = [];
  for (const loops of CONCURRENCIES) {
    const stage = await openStage({ settings: { WORKER_CONCURRENCY: String(loops) } });
    try {
      await putDataset(stage);
      await burst(stage, 'warm-up', WARM_UP, GROUPS);
      const fast = await burst(stage, 'burst', BURST, GROUPS);
      const calm = await paced(stage, 'paced', PACED, GROUPS, fast.perSecond * PACE);
      const { p50, p95, p99 } = latenciesOf(calm.finished);
      points.push([loops, fast.perSecond]);
      const peak = peakMbOf(stage.worker.pid);
      rows.push([String(loops), ...[fast.perSecond, fast.cpuMs, p50, p95, p99, peak].map(figures)]);
      say(`${loops}: ${figures(fast.perSecond)} a second, p50 ${figures(p50)} ms`);
    } finally {
      await stage.stop();
    }
  }
  const head = [
    'WORKER_CONCURRENCY',
    'requests/s',
    'CPU ms/request',
    'p50 ms',
    'p95 ms',
    'p99 ms',
    'peak MiB',
  ];
  return {
    lines: [
      `${BURST} small metric runs sent at once, in ${GROUPS} groups, for the throughput; then ${PACED} at half of that pace ` +
        'for the latency, from sending to the completed event. Two threads do the work; the embedded AWS, which all ' +
        'requests wait for, and the sender share the cores with them.',
      '',
      ...table(head, rows),
    ],
    plot: {
      title: 'Throughput against concurrency',
      x: 'WORKER_CONCURRENCY',
      y: 'requests a second',
      lines: [{ name: 'requests/s', points }],
    },
  };
}

const WAITING = 100_000;
const PART = 600;
const FEW = 600;

async function backlog({ say }: LoadOptions): Promise<LoadReport> {
  // None is taken while the queue is filled: the worker is stopped, and goes on.
  const stage = await openStage({ visibilityTimeout: 60 });
  try {
    await putDataset(stage);
    const few = await burst(stage, 'few', FEW, GROUPS);
    stage.worker.signal('SIGSTOP');
    const filling = systemClock.monotonic();
    const messages = Array.from({ length: WAITING }, (_, n) => metricRun('backlog', n, 1_000));
    for (let at = 0; at < WAITING; at += 10_000) {
      await stage.send(messages.slice(at, at + 10_000));
      say(`${at + 10_000} sent`);
    }
    const filled = (systemClock.monotonic() - filling) / 1000;
    const before = residentMbOf(stage.worker.pid);
    stage.worker.signal('SIGCONT');
    const parts: Stretch[] = [];
    const memory = [before];
    for (let part = 0; part < 3; part++) {
      parts.push(await stretch(stage, PART, async () => {}));
      memory.push(residentMbOf(stage.worker.pid));
      say(`${(part + 1) * PART} done, ${figures(parts.at(-1)!.perSecond)} a second`);
    }
    const { waiting } = await stage.queue();
    await stage.purge();
    await systemClock.sleep(2_000);
    const after = await burst(stage, 'after', FEW, GROUPS);
    const row = (name: string, { perSecond, cpuMs }: Stretch, mb: number) => [
      name,
      figures(perSecond),
      figures(cpuMs),
      figures(mb),
    ];
    return {
      lines: [
        `${WAITING.toLocaleString('en')} small metric runs in 1,000 groups, put on the queue in ${figures(filled)} s while the worker ` +
          `was stopped. It then did ${(3 * PART).toLocaleString('en')} of them, measured in three parts; ` +
          `${waiting.toLocaleString('en')} still waited at the end, and were purged. Before and after it, ${FEW} with nothing else waiting.`,
        '',
        ...table(
          ['', 'requests/s', 'CPU ms/request of the worker', 'resident MiB at its end'],
          [
            row('nothing else waits', few, before),
            ...parts.map((part, i) =>
              row(`${WAITING.toLocaleString('en')} wait, part ${i + 1}`, part, memory[i + 1]!),
            ),
            row('the queue purged', after, residentMbOf(stage.worker.pid)),
          ],
        ),
      ],
      plot: {
        title: `Requests done, with ${WAITING.toLocaleString('en')} waiting`,
        x: 'seconds',
        y: 'requests done',
        lines: [{ name: 'done', points: doneOver(parts.flatMap(({ finished }) => finished)) }],
      },
    };
  } finally {
    stage.worker.signal('SIGCONT');
    await stage.stop();
  }
}

function doneOver(finished: readonly Finished[]): [number, number][] {
  const from = finished[0]?.at ?? 0;
  return finished.map(({ at }, i) => [(at - from) / 1000, i + 1]);
}

const MANY_GROUPS = 1_000;
const EACH = 2;

async function groups({ say }: LoadOptions): Promise<LoadReport> {
  const stage = await openStage();
  try {
    await putDataset(stage);
    await burst(stage, 'warm-up', WARM_UP, GROUPS);
    const all = await burst(stage, 'groups', MANY_GROUPS * EACH, MANY_GROUPS);
    say(`${figures(all.perSecond)} a second`);
    // Sent in turn, group by group: who is served in order of sending is served fairly.
    const numberOf = ({ id }: Finished) => Number(id.split('-').at(-1));
    const shifts = all.finished.map((each, place) => Math.abs(place - numberOf(each)));
    const byGroup = Object.values(Object.groupBy(all.finished, ({ group }) => group)).map(
      (list = []) => list,
    );
    const outOfOrder = byGroup.filter((list) =>
      list.some((each, i) => i > 0 && numberOf(each) < numberOf(list[i - 1]!)),
    );
    const waits = byGroup.map(
      (list) => list.reduce((sum, { sentAt, at }) => sum + at - sentAt, 0) / list.length / 1000,
    );
    const lastSeconds = Math.max(...all.finished.map(({ sentAt, at }) => at - sentAt)) / 1000;
    const row = (name: string, values: readonly number[]) => [
      name,
      ...[0.05, 0.5, 0.95, 1].map((part) => figures(quantile(values, part))),
    ];
    return {
      lines: [
        `${MANY_GROUPS * EACH} small metric runs at once, ${EACH} in each of ${MANY_GROUPS} groups, sent in turn: ` +
          `${figures(all.perSecond)} a second, the last done after ${figures(lastSeconds)} s. ${outOfOrder.length} groups ` +
          'were served out of their order. A place is how far from its place in the order of sending a request was done: ' +
          'the embedded SQS hands out from the earliest group that has a message ready, so that both requests of a ' +
          'group follow each other, and the worker takes what it is handed.',
        '',
        ...table(
          ['', 'p5', 'p50', 'p95', 'most'],
          [row("a group's mean latency, s", waits), row('places out of the order of sending', shifts)],
        ),
      ],
      plot: {
        title: `Mean latency of ${MANY_GROUPS} groups, in the order of sending`,
        x: 'group',
        y: 'seconds',
        lines: [
          {
            name: 'mean latency',
            points: byGroup
              .map((list, i) => [numberOf(list[0]!) % MANY_GROUPS, waits[i]!] as const)
              .sort(([a], [b]) => a - b),
          },
        ],
      },
    };
  } finally {
    await stage.stop();
  }
}

export const THROUGHPUT_CASES: readonly LoadCase[] = [
  { name: 'concurrency', about: 'throughput and latency against WORKER_CONCURRENCY', run: concurrency },
  { name: 'backlog', about: `${WAITING.toLocaleString('en')} messages waiting`, run: backlog },
  { name: 'groups', about: `${MANY_GROUPS.toLocaleString('en')} message groups`, run: groups },
];
