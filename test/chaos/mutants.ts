/**
 * Bugs to be planted in a copy of the sources, each of which the checker must find: what proves that it
 * would find the like of them. A bug is a few replacements of text; each text occurs once in today's
 * sources (mutants.test.ts), so that no mutant rots.
 */

import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FaultName } from './faults.ts';
import type { RequestKind } from './history.ts';
import type { Plan } from './plan.ts';

export interface Edit {
  /** Below `src`. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Mutant {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** The rules of which one at least must be broken. */
  readonly expects: readonly string[];
  /** Which plans can show the bug at all; default: every one. The others are passed over. */
  readonly suits?: (plan: Plan) => boolean;
}

const asks =
  (kind: RequestKind, least = 1) =>
  ({ requests }: Plan): boolean =>
    requests.filter((request) => request.kind === kind).length >= least;

const strikes =
  (...faults: readonly FaultName[]) =>
  ({ rules }: Plan): boolean =>
    rules.some(({ fault }) => faults.includes(fault));

const pauses = ({ deeds, callDeeds }: Plan): boolean =>
  [...deeds, ...callDeeds].some(({ deed }) => deed === 'pause');

/** Runs, so many of one metric that they may overtake one another. */
const isBusy = asks('metric', 10);
const merges = asks('upload', 8);
const fullMerges = ({ requests }: Plan): number =>
  requests.filter(({ body }) => body.includes('full')).length;

const CONDITIONAL = 'lake/conditional-write.ts';
const EXECUTE = 'metric-run/execute.ts';
const LIFE = 'worker/message-life.ts';
const COMPACT = 'warm-tier/compact.ts';
const PLAN = 'warm-tier/plan.ts';

type Row = Readonly<Record<string, unknown>>;

/** Whether uploads hold a living and a ceased row of one key and time. */
function hasTwins({ requests }: Plan): boolean {
  const alive = new Map<string, boolean>();
  for (const { kind, body } of requests) {
    if (kind !== 'upload' || body.includes('Notification')) continue;
    const { provider, changed, removed } = JSON.parse(body) as Record<
      string,
      { rows?: readonly Row[] } | undefined
    >;
    for (const [source, unsaid] of [
      [changed, false],
      [removed, true],
    ] as const) {
      for (const { InstanceType, Region, AZ, Time, Ceased = unsaid } of source?.rows ?? []) {
        const identity = JSON.stringify([provider, InstanceType, Region, AZ, Time]);
        if (alive.has(identity) && alive.get(identity) !== Ceased) return true;
        alive.set(identity, Ceased === true);
      }
    }
  }
  return false;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'acknowledge before the completed event is out',
    edits: [
      {
        file: LIFE,
        from: 'await publish(answer.event, signal);\n      return { answer, answered: false };',
        to: 'void publish(answer.event, signal).catch(() => {});\n      return { answer, answered: false };',
      },
    ],
    expects: ['early-acknowledgement'],
  },
  {
    name: 'acknowledge an attempt that failed and may be tried again',
    edits: [
      {
        file: LIFE,
        from: "return { fate: await retryLater(delivery, logger), outcome: 'retry' };",
        to: "return { fate: 'acknowledge', outcome: 'retry' };",
      },
    ],
    expects: ['early-acknowledgement', 'lost-request'],
    suits: strikes('internal-error', 'slow-down', 'drop-before', 'drop-after', 'expired-credentials'),
  },
  {
    name: 'drop the If-Match',
    edits: [
      {
        file: CONDITIONAL,
        from: 'put(location, body, { IfMatch: etag }, options)',
        to: 'put(location, body, {}, options)',
      },
    ],
    expects: ['compare-and-set'],
    suits: asks('upload', 2),
  },
  {
    name: 'treat 409 as "it exists"',
    edits: [
      {
        file: CONDITIONAL,
        from: 'if (!refused && !isPassing(error))',
        to: "if (status === 409) return { outcome: 'conflict', found: undefined };\n      if (!refused && !isPassing(error))",
      },
    ],
    expects: ['unsettled-409'],
    suits: strikes('conflict'),
  },
  {
    name: 'no put-id check on 412',
    edits: [
      {
        file: CONDITIONAL,
        from: 'found.metadata[PUT_ID] === putId',
        to: "found.metadata[PUT_ID] === 'never'",
      },
    ],
    expects: ['metric-facts', 'one-version', 'early-completed', 'agreement', 'current', 'lost-request'],
    suits: (plan) => strikes('lost-put', 'drop-after')(plan) && asks('metric', 5)(plan),
  },
  {
    name: 'delete superseded files at once',
    edits: [
      {
        file: PLAN,
        from: 'for (const key of superseded) pending.set(key, { key, notBefore });',
        to: 'for (const key of superseded) pending.set(key, { key, notBefore: 0 });',
      },
    ],
    expects: ['warm-steps', 'early-deletion'],
    suits: (plan) => plan.settings.readerGraceSeconds > 0 && fullMerges(plan) > 1,
  },
  {
    name: 'marker before manifest',
    edits: [
      {
        file: EXECUTE,
        from: 'await writeManifest(\n        lake,',
        to: 'const late = () => writeManifest(\n        lake,',
      },
      {
        file: EXECUTE,
        from: 'useless = winner !== undefined;',
        to: 'useless = winner !== undefined;\n      await late();',
      },
    ],
    expects: ['data-first'],
    suits: asks('metric'),
  },
  {
    name: 'publish before the marker is made',
    edits: [
      {
        file: EXECUTE,
        from: 'const winner = await createMarker(lake, base, marker, signal);',
        to: 'void createMarker(lake, base, marker, signal).catch(() => {});\n      const winner: RunMarker | undefined = undefined as RunMarker | undefined;',
      },
    ],
    expects: ['early-completed', 'current'],
    suits: asks('metric'),
  },
  {
    name: 'skip the visibility extension',
    edits: [
      {
        file: 'worker/lease.ts',
        from: 'await renew(visibilitySeconds, AbortSignal.any([stopped.signal, timeout.signal]));',
        to: 'void renew;',
      },
    ],
    expects: ['lease'],
    suits: strikes('very-late', 'stalled-read'),
  },
  {
    name: 'ignore a lost lease',
    edits: [
      {
        file: LIFE,
        from: "abort.abort(new JobAbortedError('lease-lost', ",
        to: "void String(new JobAbortedError('lease-lost', ",
      },
    ],
    expects: ['lease'],
    suits: (plan) => pauses(plan) || strikes('early-visibility', 'redelivered')(plan),
  },
  {
    name: 'forget file ids, so that names are used again',
    edits: [{ file: PLAN, from: 'nextFileId: proposal.nextFileId,', to: 'nextFileId: manifest.nextFileId,' }],
    expects: ['warm-steps', 'written-once'],
    suits: merges,
  },
  {
    name: 'lose a dead letter',
    edits: [
      {
        file: 'worker/queue.ts',
        from: 'if (deadLetterUrl === undefined) return false;',
        to: 'if (deadLetterUrl === undefined) return false;\n      if (delivery.attempt > 0) return true;',
      },
    ],
    expects: ['dead-letters'],
    suits: asks('poison'),
  },
  {
    name: "drop current's never-back guard",
    edits: [
      {
        file: 'metric-run/run-store.ts',
        from: 'if (pointsTo !== undefined && pointsTo >= version) return;',
        to: 'if (pointsTo === version) return;',
      },
    ],
    expects: ['current'],
    suits: (plan) => isBusy(plan) && (pauses(plan) || plan.rules.length > 0),
  },
  {
    name: 'take a lost compare-and-set for won',
    edits: [
      {
        file: COMPACT,
        from: 'if (await store.write(next, etag, signal)) {\n          own.clear();',
        to: 'await store.write(next, etag, signal);\n        {\n          own.clear();',
      },
      {
        file: COMPACT,
        from: '} else {\n          changes = soFar;\n          lost++;\n        }',
        to: '}',
      },
    ],
    expects: ['early-completed', 'tier-union'],
    suits: merges,
  },
  {
    name: 'keep the ceased row of equal key and time',
    edits: [
      {
        file: 'warm-tier/merge.ts',
        from: 'return flag === TRUE ? 2 : 0;',
        to: 'return flag === TRUE ? 0 : 2;',
      },
      { file: 'hot-tier/sort-rows.ts', from: 'flag === TRUE ? 2 : 0;', to: 'flag === TRUE ? 0 : 2;' },
    ],
    expects: ['tier-union', 'hot-content'],
    suits: hasTwins,
  },
  {
    name: 'call any upload to a taken slot unchanged',
    edits: [
      { file: 'hot-tier/upload.ts', from: 'if (mayBeSame && sameContent(', to: 'if (true || sameContent(' },
    ],
    expects: ['hot-outcome'],
    suits: asks('upload', 8),
  },
  {
    name: 'divide by zero',
    edits: [
      {
        file: 'metric-run/expression/series-math.ts',
        from: 'if (divisor === 0) {',
        to: 'if (dividend === -1.5) {',
      },
    ],
    expects: ['metric-oracle'],
    suits: isBusy,
  },
  {
    name: 'keep what a changed file wrote before',
    edits: [
      {
        file: 'ingest/manifest-plan.ts',
        from: 'if (source.ingestion_id === ingestionId && inLedger.has(source.file)) return false;',
        to: '',
      },
    ],
    expects: ['ingest-rows'],
    suits: ({ files }) => files.some(({ at }) => at > 0),
  },
  {
    name: 'have the loser of the marker leave current alone',
    edits: [
      {
        file: EXECUTE,
        from: 'await settle(decided);',
        to: 'if (winner === undefined) await settle(decided);',
      },
    ],
    expects: ['current'],
    suits: (plan) =>
      asks('metric', 5)(plan) && (pauses(plan) || strikes('early-visibility', 'redelivered')(plan)),
  },
];

/** A file's text with a mutant's edits in it; throws where one of them does not occur once. */
export function mutated(text: string, edits: readonly Edit[]): string {
  return edits.reduce((before, { file, from, to }) => {
    const parts = before.split(from);
    if (parts.length !== 2) throw new Error(`${file} holds ${parts.length - 1} times: ${from}`);
    return parts.join(to);
  }, text);
}

/** A mutant's files, and what is to be in each; from the sources below `root`. */
export async function mutantFiles(root: string, { edits }: Mutant): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  for (const file of new Set(edits.map((edit) => edit.file))) {
    const text = await readFile(join(root, 'src', file), 'utf8');
    files.set(
      file,
      mutated(
        text,
        edits.filter((edit) => edit.file === file),
      ),
    );
  }
  return files;
}

/** Copies the sources of `root` to `target`, the mutant's bug in them; they run with the modules of `root`. */
export async function plantMutant(root: string, target: string, mutant: Mutant): Promise<void> {
  const files = await mutantFiles(root, mutant);
  await mkdir(target, { recursive: true });
  await cp(join(root, 'src'), join(target, 'src'), { recursive: true });
  await cp(join(root, 'package.json'), join(target, 'package.json'));
  await symlink(join(root, 'node_modules'), join(target, 'node_modules'));
  for (const [file, text] of files) await writeFile(join(target, 'src', file), text);
}
