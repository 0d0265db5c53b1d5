import { reportOf, type SavedReport } from '../../bench/saved-report.js'
import type { Workload } from '../../bench/workload.js'

/** A report of a small matrix as a run might have made it, without one: two modes, a column, a workload that grows. */
export function sampleReport(): SavedReport {
  const workload = (name: string, more: Partial<Workload> = {}): Workload => ({
    name,
    summary: `a ${name}`,
    unit: 'ms',
    rounds: 4,
    quickRounds: 2,
    open: async () => [],
    ...more,
  })
  return reportOf({
    host: {
      kernel: '6.1',
      cpu: 'a <processor>',
      cpuCount: 2,
      governor: null,
      memoryBytes: 2 ** 30,
      load1: 0,
      node: 'v20',
      v8: '11',
      uid: 1000,
      mitigations: {},
      programs: { bwrap: null },
      takenAt: '2026-01-01T00:00:00.000Z',
    },
    quietness: { busy: 0, quiet: true, waitedMs: 1000 },
    settings: { seed: 1, quick: false, precision: null },
    results: [
      {
        workload: workload('start'),
        series: [
          { name: 'bare', samples: [1, 1.1, 0.9, 1], failure: null },
          { name: 'wall', samples: [2, 2.2, 1.8, 2], failure: null },
        ],
      },
      {
        workload: workload('grow', { axis: 'layers' }),
        series: [1, 10, 100].map((size) => ({ name: `trees@${size}`, samples: [2 * size, 2 * size, 2 * size], failure: null })),
      },
    ],
    matrix: ['start'],
    protection: ['bare', 'wall'].map((mode) => ({
      mode,
      setUpBy: 'an ordinary user',
      findings: [
        { aspect: 'filter', text: mode === 'bare' ? 'none' : 'seccomp', holds: mode !== 'bare' },
        { aspect: 'attacks held', text: mode === 'bare' ? '1 of 2' : '2 of 2', holds: mode !== 'bare' },
      ],
      failure: null,
    })),
    verdicts: [],
    later: [],
  })
}
