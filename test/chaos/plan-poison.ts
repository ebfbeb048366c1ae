/** Messages that are no requests: they belong on the dead-letter queue, each with its reason. */

import type { Dice } from './dice.ts';
import { type Part, SENDING_MS } from './plan.ts';

interface Poison {
  readonly body: string;
  readonly typeAttribute?: string;
}

const POISONS: readonly Poison[] = [
  { body: 'no JSON at all' },
  { body: '{"type":"metric_run_requested"' },
  { body: '[1, 2, 3]' },
  { body: '"metric_run_requested"' },
  { body: '{"runId":"a","metricCode":"m"}' },
  { body: '{"type":"teapot_requested","requestId":"t"}' },
  { body: '{"type":"compaction_requested","requestId":"t"}', typeAttribute: 'hot_upload_requested' },
];

export function planPoison(dice: Dice): Part {
  const count = dice.whole(0, 3);
  const requests = Array.from({ length: count }, (_, i) => {
    const { body, typeAttribute } = dice.pick(POISONS);
    return {
      id: `poison-${i}`,
      kind: 'poison' as const,
      body,
      groupId: `poison-${dice.whole(0, 1)}`,
      deduplicationId: `poison-${i}`,
      ...(typeAttribute === undefined ? {} : { typeAttribute }),
      at: dice.whole(0, SENDING_MS),
    };
  });
  return { requests };
}
