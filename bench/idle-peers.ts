import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expectSuccess } from './expect-success.js'
import { hasProgram } from './has-program.js'
import type { Subject } from './measure.js'
import { writeBundle } from './oci-bundle.js'
import { podmanWords } from './podman-words.js'
import { commandOf, proportionalMib } from './process-memory.js'
import { require } from './unavailable.js'
import type { Workbench } from './workbench.js'

const GUEST = ['/bin/sleep', '1000']

/** crun waiting for its container, as it does in the foreground: detached, nothing of it stays, and nobody logs or knows the end. */
export async function idleCrun(workbench: Workbench, settle: () => Promise<void>): Promise<Subject> {
  require(hasProgram('crun'), 'crun is not installed')
  const driver = await workbench.peerDriver()
  const bundle = await writeBundle(workbench, 'crun-idle', GUEST)
  const state = await workbench.directoryOf('crun-idle-state')
  const id = `wolffia-idle-${process.pid}`
  const words = ['--root', state, '--cgroup-manager=disabled']
  const sample = async () => {
    expectSuccess(await driver.run('sh', ['-c', '"$@" &', 'sh', 'crun', ...words, 'run', '--bundle', bundle, id]))
    await settle()
    const memory = memoryOf(`crun ${words.join(' ')} run`)
    expectSuccess(await driver.run('crun', [...words, 'delete', '--force', id]))
    return memory
  }
  return { name: 'crun', sample }
}

/** podman's conmon, which holds a detached container. Its pause process, one for all containers, is not counted. */
export async function idlePodman(workbench: Workbench, settle: () => Promise<void>): Promise<Subject> {
  require(hasProgram('podman'), 'podman is not installed')
  const driver = await workbench.peerDriver()
  const words = await podmanWords(workbench)
  expectSuccess(await driver.run('podman', [...words, 'import', await workbench.rootTar(), 'localhost/idle']))
  workbench.atEnd(async () => void (await driver.run('rm', ['-rf', join(workbench.directory, 'podman')])))
  const run = ['run', '-d', '--name', 'idle', '--network=none', '--cgroups=disabled']
  const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=4096:4096']
  const sample = async () => {
    expectSuccess(await driver.run('podman', [...words, ...run, ...limits, 'localhost/idle', ...GUEST]))
    await settle()
    const memory = memoryOf('conmon ', workbench.directory)
    expectSuccess(await driver.run('podman', [...words, 'rm', '--force', '--time', '0', 'idle']))
    return memory
  }
  return { name: 'podman', sample }
}

/** Of the processes with these words in their command. */
function memoryOf(...words: readonly string[]): number {
  const line = (pid: number) => `${commandOf(pid).join(' ')} `
  const found = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && words.every((word) => line(Number(name)).includes(word)))
  require(found.length > 0, `no process of ${words.join(' ')}`)
  return found.reduce((sum, pid) => sum + proportionalMib(Number(pid)), 0)
}
