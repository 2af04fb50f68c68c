import { type SupportArea, supportArea } from './support-area.ts';

/** Clusters behind which a service of this process stands. */
export const inProcess: SupportArea = supportArea({
  'sluice.clusters.in_process.v1.InProcess': { implemented: 'all' },
});
