/**
 * One run: a plan carried out against real worker processes behind the fault proxy, until all has settled;
 * and its history, as data and in a directory.
 *
 *     workers ──> fault proxy ──> embedded AWS <── the simulator: sends, subscribes, dumps
 */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
} from '@aws-sdk/client-sqs';
import pg from 'pg';
import { machineMonotonic, systemClock } from '../../src/common/clock.ts';
import { environment, type Resources } from '../../src/local/resources.ts';
import { builtFrom, DIST } from '../support/built.ts';
import { readEvents } from '../support/events.ts';
import { datasetObjects, dumpBucket, give } from './bucket.ts';
import { type Fleet, startFleet } from './fleet.ts';
import type { DeadLetter, GivenObject, History, SentRequest } from './history.ts';
import type { Plan, PlannedRequest, ProcessDeed } from './plan.ts';
import type { AskedDeed } from './proxy-message.ts';
import type { World } from './world.ts';

export interface SimulateOptions {
  /** Where the history goes; made where it is not there. */
  readonly directory: string;
  /** The directory that has `src`; default: this repository. */
  readonly sourceRoot?: string | undefined;
  /** How long nothing may be completed while requests are left, before the run is given up; default 60,000. */
  readonly settleMs?: number;
}

const MEMORY_LIMIT_KIB = 600 * 1_024;
const SETTLE_MS = 60_000;
const LOOK_EVERY_MS = 200;
const EVENTS_MS = 10_000;

let runs = 0;

/** Runs a plan and gives its history, which is in `<directory>/history.json` as well. */
export async function simulate(plan: Plan, world: World, options: SimulateOptions): Promise<History> {
  const { directory, sourceRoot, settleMs = SETTLE_MS } = options;
  const dist = sourceRoot === undefined ? DIST : await builtFrom(sourceRoot);
  const lane = `s${plan.seed}x${++runs}`;
  await mkdir(directory, { recursive: true });
  const { settings } = plan;
  const resources = await world.resources({
    prefix: lane,
    maxReceiveCount: settings.maxReceiveCount,
    visibilityTimeout: settings.visibilitySeconds,
    fifoTopic: settings.fifoTopic,
  });
  const database = plan.files.length > 0 ? await world.postgres.createDatabase(lane) : undefined;
  const events = readEvents(world.sqs, resources.eventsQueueUrl);

  const begun = systemClock.monotonic();
  const startedWall = systemClock.now();
  const now = () => systemClock.monotonic() - begun;
  const timeline: string[] = [];
  const tell = (line: string) => timeline.push(`${(now() / 1_000).toFixed(3).padStart(7)} ${line}`);
  tell(`seed ${plan.seed}, ${plan.mix}: ${plan.workers} workers, ${plan.requests.length} requests`);

  const given: GivenObject[] = [];
  for (const [key, body] of (await Promise.all(plan.datasets.map(datasetObjects))).flat()) {
    given.push(await give(world.s3, resources.bucket, key, body, now));
  }
  let fleet: Fleet | undefined;
  world.proxy.openLane(
    {
      lane,
      seed: plan.seed,
      rules: plan.rules,
      deeds: plan.callDeeds,
      stormMs: plan.stormMs,
      startedAt: machineMonotonic() - now(),
    },
    async (asked) => {
      if (fleet !== undefined) await atCall(fleet, asked, tell);
    },
  );
  fleet = await startFleet({
    lane,
    size: plan.workers,
    environment: { ...environment(resources, world.proxy.endpoint), ...workerSettings(plan, database) },
    main: join(dist, 'main.js'),
    directory: join(world.scratch, lane),
    clocks: plan.deeds.some(({ deed }) => deed === 'clock'),
    now,
    tell,
  });
  const crew = fleet;
  // The storm begins when the workers run: before, there is nothing that it could disturb.
  const from = now();
  world.proxy.storm(lane);

  const completed = () => events.all.filter(({ body }) => body.type.endsWith('_completed')).length;
  const sent: SentRequest[] = [];
  const acts: Acts = {
    send: async (request) => void sent.push(await send(world, resources, request, now)),
    put: async ({ key, text }) => {
      given.push(await give(world.s3, resources.bucket, key, text, now));
      tell(`put ${key}`);
    },
    deed: (deed) => atTime(crew, deed),
  };
  const play = async () => {
    for (const { at, act } of scriptOf(plan, acts)) {
      await systemClock.sleep(Math.max(0, from + at - now()));
      await act();
    }
    await crew.quiet();
    const inTime = await settle(world, resources, settleMs, completed);
    tell(inTime ? 'all has settled' : 'NOT settled in time');
    await crew.quiet();
    return { inTime, processes: await crew.end() };
  };
  const { inTime, processes } = await play().finally(() => crew.abandon());
  const { calls, faults } = await world.proxy.closeLane(lane);
  await heard(world, resources, events.all);
  await events.stop();
  const history: History = {
    seed: plan.seed,
    mix: plan.mix,
    startedWall,
    directory,
    bucket: resources.bucket,
    queues: { requests: resources.requestQueueUrl, deadLetters: resources.deadLetterQueueUrl },
    settings: { ...settings, memoryLimitKiB: MEMORY_LIMIT_KIB },
    given,
    sent,
    calls,
    events: events.all.map(({ at, body }) => ({ at: at - begun, body })),
    settled: { inTime, ...(await waiting(world, resources.requestQueueUrl)) },
    deadLetters: await deadLettersOf(world, resources),
    processes,
    objects: await dumpBucket(world.s3, resources.bucket, directory),
    ledger: database === undefined ? {} : await tablesOf(database),
    faults: { ...faults, ...deedsOf(processes) },
    timeline,
  };
  await writeFile(join(directory, 'history.json'), JSON.stringify(history));
  await world.remove(resources);
  if (database !== undefined) await world.dropDatabase(lane);
  return history;
}

function workerSettings(plan: Plan, database: string | undefined): Record<string, string> {
  const { settings } = plan;
  return {
    WORKER_CONCURRENCY: String(settings.concurrency),
    WORKER_THREADS: '1',
    WORKER_POLL_WAIT_SECONDS: '5',
    WORKER_VISIBILITY_TIMEOUT_SECONDS: String(settings.visibilitySeconds),
    WORKER_RETRY_FIRST_SECONDS: '0',
    WORKER_RETRY_MAX_SECONDS: '1',
    WARM_READER_GRACE_SECONDS: String(settings.readerGraceSeconds),
    SHUTDOWN_GRACE_SECONDS: String(settings.shutdownGraceSeconds),
    INGEST_LEASE_SECONDS: String(settings.visibilitySeconds),
    DATABASE_POOL_SIZE: '4',
    ...(database === undefined ? {} : { DATABASE_URL: database }),
  };
}

interface Acts {
  readonly send: (request: PlannedRequest) => Promise<void>;
  readonly put: (file: Plan['files'][number]) => Promise<void>;
  readonly deed: (deed: ProcessDeed) => void;
}

/** Everything that the simulator does by the clock, in order. */
function scriptOf(plan: Plan, acts: Acts): { readonly at: number; readonly act: () => Promise<void> }[] {
  return [
    // Files first: a run that is sent at the same time must find them.
    ...plan.files.map((file) => ({ at: file.at, act: () => acts.put(file) })),
    ...plan.requests.map((request) => ({ at: request.at, act: () => acts.send(request) })),
    ...plan.deeds.map((deed) => ({ at: deed.at, act: async () => acts.deed(deed) })),
  ].toSorted((a, b) => a.at - b.at);
}

async function send(
  { sqs }: World,
  resources: Resources,
  request: PlannedRequest,
  now: () => number,
): Promise<SentRequest> {
  const { id, kind, body, groupId, deduplicationId, typeAttribute } = request;
  const { MessageId = '' } = await sqs.send(
    new SendMessageCommand({
      QueueUrl: resources.requestQueueUrl,
      MessageBody: body,
      MessageGroupId: groupId,
      MessageDeduplicationId: deduplicationId,
      ...(typeAttribute === undefined
        ? {}
        : { MessageAttributes: { type: { DataType: 'String', StringValue: typeAttribute } } }),
    }),
  );
  const attribute = typeAttribute === undefined ? {} : { typeAttribute };
  return { id, kind, body, messageId: MessageId, groupId, deduplicationId, ...attribute, at: now() };
}

async function atCall(fleet: Fleet, asked: AskedDeed, tell: (line: string) => void): Promise<void> {
  const { worker, deed, call } = asked;
  tell(`${worker}: ${deed.deed} ${deed.when} ${call}`);
  await (deed.deed === 'kill' ? fleet.kill(worker) : fleet.pause(worker, deed.ms));
}

function atTime(fleet: Fleet, deed: ProcessDeed): void {
  if (deed.deed === 'clock') {
    fleet.setClock(deed.worker, deed.seconds);
    return;
  }
  const name = fleet.at(deed.worker);
  if (name === undefined) return;
  if (deed.deed === 'pause') void fleet.pause(name, deed.ms);
  else void fleet[deed.deed](name);
}

async function waiting({ sqs }: World, queueUrl: string): Promise<{ waiting: number; inFlight: number }> {
  const { Attributes = {} } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: queueUrl, AttributeNames: ['All'] }),
  );
  return {
    waiting: Number(Attributes.ApproximateNumberOfMessages),
    inFlight: Number(Attributes.ApproximateNumberOfMessagesNotVisible),
  };
}

/**
 * Waits until no request is left; false when nothing has come of it for `forMs`. A busy machine makes a run
 * slow, not wrong: as long as requests leave the queue, there is time.
 */
async function settle(
  world: World,
  { requestQueueUrl }: Resources,
  forMs: number,
  completed: () => number,
): Promise<boolean> {
  let last = -1;
  let patience = 0;
  for (;;) {
    const { waiting: left, inFlight } = await waiting(world, requestQueueUrl);
    if (left + inFlight === 0) return true;
    if (completed() !== last) patience = systemClock.monotonic() + forMs;
    last = completed();
    if (systemClock.monotonic() > patience) return false;
    await systemClock.sleep(LOOK_EVERY_MS);
  }
}

/** Waits until the subscriber has every event. */
async function heard(world: World, { eventsQueueUrl }: Resources, all: readonly unknown[]): Promise<void> {
  const patience = systemClock.monotonic() + EVENTS_MS;
  for (let seen = -1; systemClock.monotonic() < patience; ) {
    const { waiting: left, inFlight } = await waiting(world, eventsQueueUrl);
    if (left + inFlight === 0 && seen === all.length) return;
    seen = all.length;
    await systemClock.sleep(20);
  }
  throw new Error('the subscriber did not get all events');
}

async function deadLettersOf(world: World, { deadLetterQueueUrl }: Resources): Promise<DeadLetter[]> {
  const found: DeadLetter[] = [];
  for (;;) {
    const { Messages = [] } = await world.sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: deadLetterQueueUrl,
        MaxNumberOfMessages: 10,
        MessageAttributeNames: ['All'],
      }),
    );
    if (Messages.length === 0) return found;
    for (const { MessageId = '', Body = '', MessageAttributes = {}, ReceiptHandle } of Messages) {
      const attributes = Object.entries(MessageAttributes);
      found.push({
        messageId: MessageId,
        body: Body,
        attributes: Object.fromEntries(
          attributes.map(([name, { StringValue }]) => [name, StringValue ?? '']),
        ),
      });
      await world.sqs.send(new DeleteMessageCommand({ QueueUrl: deadLetterQueueUrl, ReceiptHandle }));
    }
  }
}

/** Every table of the ledger, its rows as JSON has them. */
async function tablesOf(url: string): Promise<Record<string, Record<string, unknown>[]>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const tables = await client.query<{ name: string }>(
      "select table_name as name from information_schema.tables where table_schema = 'public' order by 1",
    );
    const rows: Record<string, Record<string, unknown>[]> = {};
    for (const { name } of tables.rows) {
      const found = await client.query<{ row: Record<string, unknown> }>(
        `select to_jsonb(t) as row from ${pg.escapeIdentifier(name)} t`,
      );
      rows[name] = found.rows.map(({ row }) => row);
    }
    return rows;
  } finally {
    await client.end();
  }
}

/** How often each deed was done by the clock; those at a call are counted by the proxy. */
function deedsOf(processes: History['processes']): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { deed } of processes.flatMap(({ deeds }) => deeds)) counts[deed] = (counts[deed] ?? 0) + 1;
  return counts;
}
