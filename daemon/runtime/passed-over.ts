import type { HostFacts } from './host-facts.js';
import type { OciConfig } from './oci.js';
import { rlimitNumber } from './spec/rlimits.js';

/** What the configuration asks for and this machine does not let the daemon do. */
export function passedOver(config: OciConfig, host: HostFacts): readonly string[] {
  const { oomScoreAdj = 0, rlimits } = config.process;
  const messages: string[] = [];
  if (oomScoreAdj < 0 && (host.isConfined || !host.capabilities.has('CAP_SYS_RESOURCE'))) {
    messages.push('without CAP_SYS_RESOURCE oom_score_adj cannot be lowered: passed over');
  }
  const isOver = ({ type, hard }: OciConfig['process']['rlimits'][number]): boolean => {
    const ceiling = host.hardLimits?.get(rlimitNumber(type)) ?? -1;
    return ceiling >= 0 && (hard < 0 || hard > ceiling);
  };
  if (rlimits.some(isOver)) {
    messages.push('without CAP_SYS_RESOURCE hard limits cannot be raised: the daemon\'s own hold');
  }
  return messages;
}
