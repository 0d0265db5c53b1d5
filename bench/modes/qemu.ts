import { statSync } from 'node:fs'
import { join } from 'node:path'
import { tree } from '../machine/initramfs.js'
import { encodeWords, HAS_KVM, machineCommand, makeMachine, requireMachine } from '../machine/machine.js'
import { ASK, REMOVE, RUN, START } from '../machine/scripts.js'
import { placed } from '../place.js'
import { require } from '../unavailable.js'
import { packageRoot } from '../workbench.js'

const BASE_MEBIBYTES = 512
/** Unpacked by the kernel, and what is written beside it. */
const MEMORY_PER_ROOT = 3
/** What init.c ends with when there is nothing to run. */
const NOTHING_TO_RUN = 126

/** A virtual machine with the same root tree, in memory, below a kernel of Debian's: what a wall of another kind costs. */
export const qemu = placed({
  // Figures of one say nothing of the other, so that a report is not compared with one of the other.
  name: HAS_KVM ? 'qemu-kvm' : 'qemu-tcg',
  summary: `a virtual machine of QEMU with a kernel of its own, from power-on to power-off; ${HAS_KVM ? 'KVM' : 'TCG, no KVM'}`,
  setUpBy: HAS_KVM ? 'a user of /dev/kvm' : 'an ordinary user',
  async place(workbench) {
    requireMachine()
    const driver = await workbench.driver()
    const directory = await workbench.directoryOf('qemu')
    const machine = await makeMachine(directory, join(packageRoot, 'bench/machine/init.c'), tree(await workbench.rootDirectory()))
    const memoryMebibytes = BASE_MEBIBYTES + Math.ceil((MEMORY_PER_ROOT * statSync(machine.initramfsPath).size) / 2 ** 20)
    const start = { memoryMebibytes, processors: 1 }
    const command = async (words: readonly string[]) => ['sh', '-c', RUN, 'sh', ...machineCommand(machine, { ...start, words })] as const
    const [program, ...args] = await command([])
    const ended = await driver.talk(program, args, { keep: join(directory, 'heard') }).then(
      ({ exitCode }) => (exitCode === NOTHING_TO_RUN ? null : `QEMU ended with ${exitCode}`),
      (error: Error) => error.message,
    )
    require(ended === null, `the machine does not start: ${ended}${HAS_KVM ? ' (WOLFFIA_MACHINE_KVM=0 does without KVM)' : ''}`)
    const path = (name: string) => join(directory, name)
    return {
      driver,
      command,
      writable: '/tmp',
      isSlowToStart: true,
      containers: {
        start: async (name, words) => [
          'sh',
          '-c',
          START,
          path(name),
          ...machineCommand(machine, { ...start, words, servePath: path(name) }),
        ],
        exec: async (name, words) => ['sh', '-c', ASK, path(name), encodeWords(words)],
        remove: (name) => ['sh', '-c', REMOVE, path(name)],
      },
    }
  },
})
