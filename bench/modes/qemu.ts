import { statSync } from 'node:fs'
import { join } from 'node:path'
import { tree } from '../machine/initramfs.js'
import { encodeWords, HAS_KVM, machineCommand, makeMachine, requireMachine } from '../machine/machine.js'
import { placed } from '../place.js'
import { require } from '../unavailable.js'
import { packageRoot } from '../workbench.js'

const BASE_MEBIBYTES = 512
/** Unpacked by the kernel, and what is written beside it. */
const MEMORY_PER_ROOT = 3
/** What init.c ends with when there is nothing to run. */
const NOTHING_TO_RUN = 126

/** QEMU's exit code holds the guest's above its lowest bit, which a failure of its own has alone. */
const RUN = '"$@"; code=$?; [ $code -le 1 ] || code=$((code >> 1)); exit $code'
/** Prints what a served machine answers up to its record separator, and ends as it says. */
const ANSWER = `while IFS= read -r line; do case $line in *\x1e*) printf %s "\${line%\x1e*}"; exit "\${line##* }";; esac; printf '%s\\n' "$line"; done <"$0.out"`
const START = `mkfifo "$0.in" "$0.out" && "$@" && ${ANSWER}`
/** What has ended may still be a process, that its parent has not asked after, but runs no program. */
const REMOVE =
  'pid=$(cat "$0.pid") && kill -9 "$pid" && while [ -e "/proc/$pid/exe" ]; do sleep 0.01; done; rm -f "$0.in" "$0.out" "$0.pid"'

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
      containers: {
        start: async (name, words) => [
          'sh',
          '-c',
          START,
          path(name),
          ...machineCommand(machine, { ...start, words, servePath: path(name) }),
        ],
        exec: async (name, words) => ['sh', '-c', `printf '%s\\n' "$1" >"$0.in"; ${ANSWER}`, path(name), encodeWords(words)],
        remove: (name) => ['sh', '-c', REMOVE, path(name)],
      },
    }
  },
})
