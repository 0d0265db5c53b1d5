/** What a host may lack for a test, each looked for by trying it. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { chooseIdMap } from '../../src/launcher/id-map.js'
import { NativeRuntime } from '../../src/native/native-runtime.js'
import type { Controller } from '../../src/runtime/control-groups.js'
import { delegation } from '../../src/runtime/make-groups.js'
import { WasmRuntime } from '../../src/wasm/wasm-runtime.js'
import type { Requirement } from './suite.js'

/** A program that must be installed. */
export function program(name: string, ...versionArguments: string[]): Requirement {
  return {
    name,
    missing: async () => {
      const problem = await promisify(execFile)(name, versionArguments.length > 0 ? versionArguments : ['--version']).catch(
        (error: Error) => error,
      )
      return problem instanceof Error ? `${name} is not installed (${problem.message.split('\n')[0]})` : null
    },
  }
}

/** For what later ones answer otherwise, in classes and fields of their own; ours is like that of the first Node that wolffia runs on. */
export const NODE_20: Requirement = {
  name: 'node20',
  missing: async () =>
    process.versions.node.startsWith('20.') ? null : `Node ${process.versions.node} answers otherwise than Node 20, which ours is like`,
}

/** Copies images between their forms. */
export const SKOPEO = program('skopeo')
/** Makes and unpacks OCI images, our second opinion on both. */
export const UMOCI = program('umoci')

/** The native wall: user namespaces that really work, and the launcher. */
export const NATIVE: Requirement = {
  name: 'native',
  missing: () => new NativeRuntime({ treesDirectory: join(tmpdir(), `wolffia-tests-${process.geteuid?.()}`) }).unavailable(),
}

/** The Wasm wall, with or without the native one around it. */
export const WASM: Requirement = { name: 'wasm', missing: () => new WasmRuntime().unavailable() }

/** More than one id for containers. */
export const ID_RANGE: Requirement = { name: 'subuid', missing: async () => chooseIdMap().reason }

function controlGroups(name: string, controllers: readonly Controller[]): Requirement {
  return {
    name,
    missing: async () => {
      const delegated = delegation()
      const lacking = controllers.filter((controller) => !delegated.has(controller))
      return lacking.length === 0 ? null : `no control group with ${lacking.join(' and ')} is delegated to this user`
    },
  }
}

/** Control groups of this user's own, with the controllers that limits take. */
export const CGROUP = controlGroups('cgroup', ['memory', 'cpu'])

/** The same with a share of processors alone. */
export const CGROUP_CPU = controlGroups('cgroup-cpu', ['cpu'])

/** The same for sets of processors, and for disks with a scheduler that knows weights. */
export const CGROUP_SETS: Requirement = {
  name: 'cgroup-sets',
  missing: async () => {
    const { folder, version } = delegation().get('io') ?? { folder: '', version: 1 }
    const isWeighed = existsSync(join(folder, version === 2 ? 'io.bfq.weight' : 'blkio.bfq.weight'))
    return (await controlGroups('', ['cpuset', 'io']).missing()) ?? (isWeighed ? null : 'no scheduler of disks here knows weights')
  },
}

/** A static program with a shell in it, to be the guest. */
export const BUSYBOX: Requirement = {
  name: 'busybox',
  missing: async () => {
    try {
      const start = readFileSync('/bin/busybox').subarray(0, 64 * 1024)
      return start.includes('ld-linux') ? '/bin/busybox is not static: install busybox-static' : null
    } catch {
      return '/bin/busybox is missing: install busybox-static'
    }
  },
}

/** Takes all it can get of one thing or another. */
export const STRESS = program('stress-ng')

/** A compiler that makes static programs, for guests written in C. */
export const CC = program('cc')
/** Gives the functions of an object file other names. */
export const OBJCOPY = program('objcopy')
