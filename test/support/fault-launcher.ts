/** The launcher behind a program that makes it fail: strace for a system call, the shell for a limit of its caller's. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assetPath } from '../../src/launcher/installation.js'
import { program } from './requirements.js'
import type { Requirement } from './suite.js'

/** Follows a program's system calls and makes single ones fail. */
export const STRACE: Requirement = program('strace', '-V')

/** The nth call of this name in each of the launcher's processes. */
export interface Fault {
  readonly call: string
  readonly when: number
}

/** Starts the launcher in another way, as long as `body` runs. */
async function started<Result>(folder: string, line: string, body: () => Promise<Result>): Promise<Result> {
  const path = join(folder, 'launcher')
  const before = process.env.WOLFFIA_LAUNCHER
  writeFileSync(path, `#!/bin/sh\n${line.replace('LAUNCHER', assetPath('launcher'))}\n`)
  chmodSync(path, 0o755)
  process.env.WOLFFIA_LAUNCHER = path
  try {
    return await body()
  } finally {
    if (before === undefined) delete process.env.WOLFFIA_LAUNCHER
    else process.env.WOLFFIA_LAUNCHER = before
  }
}

/** With a limit of the caller's, in the words of sh's `ulimit`. */
export function withLimit<Result>(folder: string, limit: string, body: () => Promise<Result>): Promise<Result> {
  return started(folder, `ulimit ${limit}; exec LAUNCHER`, body)
}

/** With one system call that does nothing and answers with `errno`. */
export function withFault<Result>(folder: string, { call, when }: Fault, errno: string, body: () => Promise<Result>): Promise<Result> {
  return started(folder, `exec strace -f -qq -o /dev/null -e inject=${call}:error=${errno}:when=${when} LAUNCHER`, body)
}

/** Every system call that the launcher's processes make for `body`, each as a fault. `isTold` leaves out what is one of many of its kind. */
export async function faultsOf(folder: string, body: () => Promise<unknown>, isTold: (line: string) => boolean): Promise<readonly Fault[]> {
  const trace = join(folder, 'trace')
  await started(folder, `exec strace -f -qq -o ${trace} LAUNCHER`, body)
  const faults = new Map<string, Fault>()
  const counts = new Map<string, number>()
  for (const line of readFileSync(trace, 'utf8').split('\n')) {
    const [, pid, call] = /^(\d+) +(\w+)\(/.exec(line) ?? []
    if (pid === undefined || call === undefined) continue
    const when = (counts.get(`${pid} ${call}`) ?? 0) + 1
    counts.set(`${pid} ${call}`, when)
    if (isTold(line)) faults.set(`${call} ${when}`, { call, when })
  }
  return [...faults.values()]
}
