/** Every known bug that the simulator has to find. */
import type { Mutation } from '../../support/mutations/mutation-loader.ts';
import { DEATH_MUTATIONS } from './death.ts';
import { FORGET_MUTATIONS } from './forget.ts';
import { JOB_MUTATIONS, MEMBERSHIP_MUTATIONS } from './job.ts';
import { LEAD_MUTATIONS } from './lead.ts';
import { LOG_MUTATIONS } from './log.ts';
import { NODE_MUTATIONS } from './node.ts';
import { RELIEF_MUTATIONS } from './relief.ts';
import { RENEW_MUTATIONS } from './renew.ts';
import { WRITER_MUTATIONS } from './writer.ts';

export const MUTATIONS: readonly Mutation[] = [
  ...WRITER_MUTATIONS,
  ...LOG_MUTATIONS,
  ...LEAD_MUTATIONS,
  ...JOB_MUTATIONS,
  ...MEMBERSHIP_MUTATIONS,
  ...NODE_MUTATIONS,
  ...RELIEF_MUTATIONS,
  ...RENEW_MUTATIONS,
  ...DEATH_MUTATIONS,
  ...FORGET_MUTATIONS,
];
