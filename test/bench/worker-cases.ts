export const WORKER_CASES: readonly import('./case.ts').BenchCase[] = [];
