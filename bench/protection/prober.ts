/** What the guest `probe` finds: it runs behind a mode like any other and prints a line for each thing that it could see or do. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { release } from 'node:os'
import { join } from 'node:path'
import { messageOf } from '../../src/errors.js'
import type { Examiner, Finding } from './protection.js'

const NAMESPACES = ['user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup']
const SECRET = 'secret of the host'

type Answers = ReadonlyMap<string, string>

/** Each aspect and how it follows from the guest's answers. */
const ASPECTS: readonly (readonly [aspect: string, of: (answers: Answers) => Omit<Finding, 'aspect'>])[] = [
  ['kernel', (a) => yesNo(hasOtherKernel(a), 'its own or none', "the host's")],
  ['namespaces', namespaces],
  ['system calls', calls],
  ['filter', (a) => yesNo(a.get('seccomp') === '2' || isModule(a), isModule(a) ? 'no system calls' : 'seccomp', 'none')],
  ['capabilities', capabilities],
  ['new privileges', (a) => yesNo(a.get('no-new-privs') === '1' || isModule(a), 'never', 'possible')],
  ['id on the host', (a) => ({ text: a.get('host-uid') ?? 'unseen', holds: a.has('host-uid') ? a.get('host-uid') !== '0' : null })],
  ["host's files", (a) => yesNo(a.get('host-file') !== 'read', 'unseen', 'READ')],
  ["host's folders", (a) => yesNo(a.get('host-write') !== 'written', 'unwritten', 'WRITTEN')],
  ["host's loopback", (a) => yesNo(a.get('host-port') !== 'connected', 'closed', 'OPEN')],
  ["host's processes", (a) => yesNo(a.get('host-process') !== 'seen', 'unseen', 'SEEN')],
  ['devices', (a) => ({ text: a.get('devices') ?? '0', holds: null })],
  ['new user namespaces', (a) => yesNo(a.get('user-namespace') !== 'made', 'refused', 'allowed')],
]

/** What a guest may do to a kernel. Where that is one of its own, a yes says nothing of the host. */
const OF_THE_KERNEL = ['filter', 'new privileges', 'new user namespaces']

export const prober: Examiner = {
  aspects: ASPECTS.map(([aspect]) => aspect),
  async examine({ workbench, talk, place }) {
    const secret = await workbench.file('secret/file', SECRET)
    const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const address = server.address()
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    const watch = watchIds()
    try {
      const { output } = await talk([
        '/.bench/probe',
        secret,
        join(secret, '../written'),
        String(port),
        String(process.pid),
        place.writable,
      ])
      const answers = new Map(
        output.split('\n').map((line) => [line.split(' ')[0] ?? '', line.slice(line.indexOf(' ') + 1).trim()] as const),
      )
      const id = watch.end()
      if (id !== null) answers.set('host-uid', id)
      if (!answers.has('end')) throw new Error(`the prober did not come to its end: ${output.slice(-200)}`)
      return findingsOf(answers)
    } finally {
      watch.end()
      server.close()
    }
  },
}

/** What follows from a guest's answers, by their words. */
export function findingsOf(answers: Answers): readonly Finding[] {
  return ASPECTS.map(([aspect, of]) => {
    const finding = of(answers)
    const isMoot = finding.holds === false && hasOtherKernel(answers) && OF_THE_KERNEL.includes(aspect)
    return { aspect, ...finding, ...(isMoot ? { holds: null } : {}) }
  })
}

function hasOtherKernel(answers: Answers): boolean {
  const bootId = answers.get('boot-id')
  return answers.get('kernel') !== release() || (bootId !== undefined && bootId !== ownBootId())
}

const ownBootId = () => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()

const LOOK_MS = 10

/**
 * Looks from the host as whom the guest runs, while it does: a guest's own map tells of the namespace around it only, which need not be
 * the host's.
 */
function watchIds(): { readonly end: () => string | null } {
  let id: string | null = null
  const timer = setInterval(() => {
    id ??= idOf('probe')
  }, LOOK_MS)
  return {
    end() {
      clearInterval(timer)
      return id
    },
  }
}

function idOf(program: string): string | null {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'latin1')
      if (status.startsWith(`Name:\t${program}\n`)) return /^Uid:\t(\d+)/m.exec(status)?.[1] ?? null
    } catch {
      // It has ended since.
    }
  }
  return null
}

function yesNo(holds: boolean, yes: string, no: string): Omit<Finding, 'aspect'> {
  return { text: holds ? yes : no, holds }
}

const isModule = (answers: Answers) => answers.get('kind') === 'module'

/** A module sees no namespaces: it has no way to ask for one. */
function namespaces(answers: Answers): Omit<Finding, 'aspect'> {
  if (isModule(answers)) return { text: 'no way to them', holds: true }
  // First ones have the same numbers in every kernel.
  if (hasOtherKernel(answers)) return { text: "its kernel's", holds: null }
  const own = NAMESPACES.filter((name) => answers.get(`ns-${name}`) !== hostNamespace(name))
  return { text: own.length === NAMESPACES.length ? `all ${own.length}` : own.join(' ') || 'none', holds: own.length === NAMESPACES.length }
}

function hostNamespace(name: string): string {
  try {
    return readlinkSync(`/proc/self/ns/${name}`)
  } catch (error) {
    return messageOf(error)
  }
}

function calls(answers: Answers): Omit<Finding, 'aspect'> {
  const [answered = '0', asked = '0'] = (answers.get('calls') ?? '').split(' ')
  return { text: isModule(answers) ? 'none' : `${answered} of ${asked}`, holds: null }
}

function capabilities(answers: Answers): Omit<Finding, 'aspect'> {
  const bits = [...Number.parseInt(answers.get('capabilities') ?? '0', 16).toString(2)].filter((bit) => bit === '1').length
  return { text: `${bits}`, holds: null }
}
