/**
 * A virtual machine for one program: QEMU, a kernel, and a root in memory. It takes nothing from the host but a pipe each way, and ends with
 * the program.
 */
import { execFile } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { messageOf } from '../../src/errors.js'
import { hasProgram } from '../has-program.js'
import type { HostCommand } from '../place.js'
import { require, Unavailable } from '../unavailable.js'
import { file, folder, type RootEntry, writeInitramfs } from './initramfs.js'
import { machineKernel } from './kernel.js'

/** A root and a kernel that are ready to be started, any number of times. */
export interface Machine {
  readonly kernelPath: string
  readonly initramfsPath: string
}

/** What differs from one start to the next. */
export interface MachineStart {
  readonly words: readonly string[]
  readonly memoryMebibytes: number
  readonly processors: number
  /** A file that gets what the kernel says and the program's standard error; nobody when absent. */
  readonly consolePath?: string
  /** A disk of its own, whose changes are kept in this file. */
  readonly diskPath?: string
  /**
   * Two fifos, PATH.in and PATH.out, through which it is asked to run more programs ({@link encodeWords}, a line for each); the first one has
   * then neither input nor output. It answers with their output, a record separator and `exit CODE`, first of all with that alone, when it
   * is ready. The machine goes on in the background, with its pid in PATH.pid.
   */
  readonly servePath?: string
}

const QEMU = 'qemu-system-x86_64'
const PORTS = ['virtio_pci', 'virtio_console']
/** The kernel cuts longer command lines off. */
const MAX_APPEND = 2000
/** init.c ends the machine with one more bit. */
const CODE_SHIFT = 1

/** Whether the processor's own virtualisation may be used; without it QEMU translates each instruction, ten to fifty times slower. */
export const HAS_KVM = process.env.WOLFFIA_MACHINE_KVM !== '0' && mayUse('/dev/kvm')

/** Throws Unavailable with what is missing for a machine, and how to get it. */
export function requireMachine(): void {
  require(process.arch === 'x64', `a virtual machine is built for x86-64 alone, and this is ${process.arch}`)
  require(hasProgram(QEMU), 'QEMU is not installed (Debian: qemu-system-x86)')
  machineKernel()
}

/** Makes the root of `entries` with the kernel's `modules` and its first process, in `directory`. Rejects with Unavailable. */
export async function makeMachine(
  directory: string,
  initSource: string,
  entries: Iterable<RootEntry>,
  modules: readonly string[] = [],
): Promise<Machine> {
  requireMachine()
  const kernel = machineKernel()
  const [initPath, initramfsPath] = [join(directory, 'machine-init'), join(directory, 'machine.cpio')]
  await promisify(execFile)('cc', ['-std=c11', '-O2', '-static', '-o', initPath, initSource]).catch((error) => {
    throw new Unavailable(`the first process of a virtual machine cannot be compiled: ${messageOf(error)}`)
  })
  const loaded = kernel.modules([...PORTS, ...modules])
  const inside = (path: string) => `.machine/${basename(path)}`
  writeInitramfs(initramfsPath, [
    ...entries,
    folder('.machine', 0o700),
    file('.machine/init', readFileSync(initPath), 0o755),
    file('.machine/modules', loaded.map((path) => `/${inside(path)}\n`).join('')),
    ...loaded.map((path) => file(inside(path), readFileSync(path))),
  ])
  return { kernelPath: kernel.path, initramfsPath }
}

/** The command of this host that runs a program in a machine, its standard input and output the program's, its exit code 0 where that is 0. */
export function machineCommand(machine: Machine, start: MachineStart): HostCommand {
  const { words, memoryMebibytes, processors, consolePath, diskPath, servePath } = start
  const append = [
    'console=ttyS0 quiet panic=0 mitigations=auto rdinit=/.machine/init',
    ...(servePath === undefined ? [] : ['SERVES=1']),
    `WORDS=${encodeWords(words)}`,
  ].join(' ')
  require(append.length < MAX_APPEND, `a kernel’s command line takes no ${append.length} bytes`)
  return [
    QEMU,
    ...['-nodefaults', '-no-user-config', '-no-reboot', '-display', 'none'],
    ...(HAS_KVM ? ['-accel', 'kvm', '-cpu', 'host'] : ['-accel', 'tcg,thread=multi', '-cpu', 'max']),
    ...['-m', String(memoryMebibytes), '-smp', String(processors)],
    ...['-kernel', machine.kernelPath, '-initrd', machine.initramfsPath, '-append', append],
    ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=1'],
    ...(consolePath === undefined ? ['-serial', 'null'] : ['-serial', `file:${escaped(consolePath)}`]),
    ...(diskPath === undefined ? [] : ['-drive', `file=${escaped(diskPath)},format=raw,if=virtio,cache=unsafe`]),
    ...['-device', 'virtio-serial-pci,max_ports=3'],
    ...(servePath === undefined ? standardStreams() : servedStreams(servePath)),
  ]
}

// Two, since the end of the first would end the second too.
function standardStreams(): readonly string[] {
  return [...port(1, 'stdio,signal=off'), ...port(2, 'file,path=/dev/stdout')]
}

function servedStreams(path: string): readonly string[] {
  return ['-daemonize', '-pidfile', `${escaped(path)}.pid`, ...port(1, `pipe,path=${escaped(path)}`)]
}

function port(number: number, backend: string): readonly string[] {
  const [kind, ...rest] = backend.split(',')
  const id = `port${number}`
  return ['-chardev', [kind, `id=${id}`, ...rest].join(','), '-device', `virtserialport,chardev=${id},nr=${number}`]
}

/** Words as init.c reads them. */
export function encodeWords(words: readonly string[]): string {
  return Buffer.from(words.map((word) => `${word}\0`).join('')).toString('hex')
}

/** The exit code of a program, from that of QEMU: null for a machine that ended by itself. Of codes above 126 it is 126. */
export function exitCodeOf(qemuCode: number): number | null {
  if (qemuCode === 0) return 0
  return qemuCode > 1 && qemuCode % 2 === 1 ? qemuCode >> CODE_SHIFT : null
}

/** QEMU takes a comma in a value for the end of it. */
const escaped = (path: string) => path.replaceAll(',', ',,')

function mayUse(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}
