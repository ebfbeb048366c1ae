/** The warm tier: compaction of hot files under a manifest. */

export { type CompactionObserver, type CompactionParts, createCompactionHandler } from './handler.ts';
export type { WarmTierSettings } from './settings.ts';
