/**
 * docs/asyncapi.yaml, made from the schemas of src/contract: `npm run asyncapi` writes it, and
 * test/contract/asyncapi.test.ts holds it.
 */

import { writeFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { z } from 'zod';
import { EVENT_SCHEMAS } from '../src/contract/event-schemas.ts';
import { ingestRunSchema } from '../src/contract/ingest-run.ts';
import { metricRunSchema } from '../src/contract/metric-run.ts';
import { compactionSchema, hotUploadSchema } from '../src/contract/tier-requests.ts';

export const ASYNCAPI = new URL('../docs/asyncapi.yaml', import.meta.url);

const REQUEST_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  metric_run_requested: metricRunSchema,
  hot_upload_requested: hotUploadSchema,
  compaction_requested: compactionSchema,
  ingest_run_requested: ingestRunSchema,
};

function payloadOf(schema: z.ZodType, io: 'input' | 'output'): unknown {
  const { $schema, ...payload } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return payload;
}

function messagesOf(schemas: Readonly<Record<string, z.ZodType>>, io: 'input' | 'output'): object {
  const messages = Object.entries(schemas).map(([name, schema]) => {
    return [name, { name, contentType: 'application/json', payload: payloadOf(schema, io) }];
  });
  return Object.fromEntries(messages);
}

function referencesOf(schemas: object): object {
  return Object.fromEntries(
    Object.keys(schemas).map((name) => [name, { $ref: `#/components/messages/${name}` }]),
  );
}

/** The document, as AsyncAPI 3 has it. */
function documentOf(): object {
  const operation = (action: string, channel: string) => ({
    action,
    channel: { $ref: `#/channels/${channel}` },
  });
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Tidemill',
      version: '1.0.0',
      description: 'Requests on SQS and events on SNS. The rules that no schema tells are in CONTRACT.md.',
      license: { name: 'Apache-2.0' },
    },
    channels: {
      requests: {
        address: null,
        description: 'The FIFO queue of AWS_SQS_RUN_REQUEST_QUEUE_URL; bare, or in an SNS notification.',
        messages: referencesOf(REQUEST_SCHEMAS),
      },
      events: {
        address: null,
        description: 'The topics of AWS_SNS_EVENTS_TOPIC_ARN and the three of metric runs.',
        messages: referencesOf(EVENT_SCHEMAS),
      },
    },
    operations: { takeRequests: operation('receive', 'requests'), tellEvents: operation('send', 'events') },
    components: {
      messages: { ...messagesOf(REQUEST_SCHEMAS, 'input'), ...messagesOf(EVENT_SCHEMAS, 'output') },
    },
  };
}

/** The text of docs/asyncapi.yaml. */
export function asyncApi(): string {
  return `# Written by \`npm run asyncapi\` from src/contract.\n${stringify(documentOf(), { lineWidth: 0, aliasDuplicateObjects: false })}`;
}

if (import.meta.main) writeFileSync(ASYNCAPI, asyncApi());
