/** What the language status item says, as plain data. */
import type { StatusParams } from '../../../../server/src/protocol.ts';

/** Text and tone of the item; null where the file is none of our business. */
export interface StatusText {
  readonly text: string;
  readonly detail: string;
  readonly busy: boolean;
  readonly tone: 'information' | 'warning' | 'error';
}

const idle: Readonly<Record<'nothing-to-simulate' | 'disabled', string>> = {
  'nothing-to-simulate': 'no plan complete enough to simulate: see the Problems view',
  disabled: 'background simulation is off (layerkv.simulation.enabled)',
};

/** Words for a document's latest status. */
export function statusText(status: StatusParams): StatusText | null {
  switch (status.state) {
    case 'idle':
      if (status.reason === 'not-ours' || status.reason === 'closed') return null;
      return { text: 'not simulated', detail: idle[status.reason], busy: false, tone: 'information' };
    case 'simulating': {
      const percent = Math.round(status.fraction * 100);
      return { text: 'simulating', detail: `${percent} %`, busy: true, tone: 'information' };
    }
    case 'simulated': {
      const detail = status.headlines.length === 1 ? (status.headlines[0] ?? '') : `${status.workloads} plans`;
      return { text: `simulated, seed ${status.seed}`, detail, busy: false, tone: 'information' };
    }
    case 'failed':
      return { text: 'simulation failed', detail: status.message, busy: false, tone: 'error' };
  }
}
