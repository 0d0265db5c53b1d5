import type { KernelEvidence, LimitEvidence, NamespaceName, Receipt } from '../runtime/receipt.js'
import { ellipsis, humanSize, printable, type Style } from './output.js'

const LABEL_WIDTH = 17
const COLUMN_WIDTH = 31
const NAMESPACES: readonly NamespaceName[] = ['pid', 'uts', 'mount', 'ipc', 'net', 'user', 'cgroup']

/** One aspect of isolation: its name, and what a receipt says of it in a few words. */
interface Aspect {
  readonly label: string
  readonly say: (receipt: Receipt) => string
}

const ofKernel =
  (say: (kernel: KernelEvidence) => string): Aspect['say'] =>
  ({ kernel }) =>
    kernel === null ? '-' : say(kernel)

const ofLimit =
  (name: LimitEvidence['name'], unit: (value: number) => string): Aspect['say'] =>
  ({ limits }) => {
    const limit = limits.find((candidate) => candidate.name === name)
    return limit === undefined ? '-' : `${unit(limit.value)}, by ${limit.mechanism}`
  }

const ASPECTS: readonly Aspect[] = [
  ...NAMESPACES.map((name) => ({
    label: `${name} namespace`,
    say: ofKernel(({ namespaces }) => (namespaces[name].isolated ? `its own, ${namespaces[name].inode}` : "THE HOST'S")),
  })),
  { label: 'root', say: ofKernel(({ root }) => `${root.fileSystem}, ${root.hostRootVisible ? "HOST'S VISIBLE" : "host's gone"}`) },
  {
    label: 'seccomp',
    say: ({ kernel, seccompProfile }) =>
      kernel === null
        ? '-'
        : kernel.seccomp.mode !== 2
          ? 'NONE'
          : seccompProfile === null
            ? `filters: ${kernel.seccomp.filters}`
            : "THE USER'S PROFILE",
  },
  { label: 'capabilities', say: ofKernel(({ capabilities }) => capabilitiesOf(capabilities.effective)) },
  { label: 'no_new_privs', say: ofKernel(({ noNewPrivileges }) => (noNewPrivileges ? 'set' : 'NOT SET')) },
  {
    label: 'Landlock',
    say: ofKernel(({ landlock }) => (landlock === null ? 'for --network host' : `ABI ${landlock.abi}, ${landlock.scopes.join(', ')}`)),
  },
  {
    label: 'id map',
    say: ofKernel(({ idMap: { uid } }) => {
      const [first = [0, 0, 0], ...others] = uid.toSorted(([, , left], [, , right]) => left - right)
      return `${first[0]} is ${first[1]}, ${others.length > 0 ? 'others subordinate' : 'no other'}`
    }),
  },
  { label: 'memory limit', say: ofLimit('memory', humanSize) },
  { label: 'process limit', say: ofLimit('pids', String) },
  { label: 'disk limit', say: ofLimit('disk', humanSize) },
  { label: 'time limit', say: ofLimit('time', (milliseconds) => `${milliseconds / 1000} s`) },
  { label: 'engine', say: ({ wasm }) => wasm?.engine ?? '-' },
  { label: 'double wall', say: ({ wasm, doubleWall }) => (wasm === null ? '-' : doubleWall ? 'yes' : 'NO, SINGLE') },
  { label: 'cross-check', say: ({ crossCheck }) => crossCheckOf(crossCheck) },
]

/** Receipts side by side, an aspect a line, in a few words each. What should be in force and is not stands in capitals. */
export function receiptTable(receipts: readonly Receipt[], style: Style): string {
  const heading = receipts.map(({ wall }) => style.bold(cell(`receipt: ${wall}`)))
  const rows = ASPECTS.map(({ label, say }) => [
    label.padEnd(LABEL_WIDTH),
    ...receipts.map((receipt) => painted(cell(say(receipt)), style)),
  ])
  return [[''.padEnd(LABEL_WIDTH), ...heading], ...rows].map((cells) => `${cells.join('').trimEnd()}\n`).join('')
}

function cell(text: string): string {
  return ellipsis(printable(text), COLUMN_WIDTH - 1).padEnd(COLUMN_WIDTH)
}

function painted(text: string, style: Style): string {
  return /(THE HOST'S|THE USER'S|VISIBLE|NONE|NOT SET|SINGLE|DISAGREE)/.test(text) ? style.red(text) : text
}

function capabilitiesOf(mask: string): string {
  const count = BigInt(`0x${mask || '0'}`)
    .toString(2)
    .replace(/0/g, '').length
  return count === 0 ? 'none' : `${count}, in its own namespace`
}

function crossCheckOf(checks: Receipt['crossCheck']): string {
  const wrong = Object.keys(checks).filter((name) => !checks[name])
  const count = Object.keys(checks).length
  return wrong.length > 0 ? `DISAGREE: ${wrong.join(' ')}` : `${count} of ${count} agree`
}
