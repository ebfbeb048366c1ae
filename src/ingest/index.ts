/** The ingest feature: what main and the command use of it. */

export { createIngestHandler, placesOf } from './handler.ts';
export { workerName } from './process-files.ts';
export type { IngestSettings } from './settings.ts';
