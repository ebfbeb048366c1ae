/** The hot tier: uploads of one slot's rows, written once. */

export { createHotUploadHandler, type HotUploadObserver, type HotUploadParts } from './handler.ts';
export type { HotTierSettings } from './settings.ts';
