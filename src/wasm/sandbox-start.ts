/** What a sandbox of a container is started with: its start message, its descriptors, and the plan of the wall around it. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { MAXIMUM_FILE_BYTES } from '../fs/file-system.js'
import { singleIdMap } from '../launcher/id-map.js'
import { assetPath, seccompAsset } from '../launcher/installation.js'
import type { Plan } from '../launcher/operations.js'
import type { Program } from '../runtime/magic.js'
import { type Delegation, groupOperations, sweepGroups, usesGroups } from '../runtime/make-groups.js'
import type { LimitEvidence } from '../runtime/receipt.js'
import type { CreateRequest } from '../runtime/runtime.js'
import { isHostMount } from '../runtime/sources.js'
import type { ContainerSpec } from '../runtime/spec.js'
import { supervisionOperations } from '../runtime/supervision.js'
import { NODE_FLAGS } from './double-wall.js'
import { nodeFiles } from './node-files.js'
import { HEADER_BYTES, RECORDING_BYTES } from './recording/format.js'
import { type SandboxLayer, START_DESCRIPTOR, type StartMessage } from './sandbox/protocol.js'
import { sandboxEvidence, sandboxGroups } from './sandbox-groups.js'
import { layerPaths, type SandboxPlanRequest, sandboxPlan } from './sandbox-plan.js'
import { SANDBOX_PROGRAM, type SandboxProcess, type SandboxStart, startWalled } from './sandbox-process.js'
import { type StartMessageParts, startMessage } from './start-message.js'
import { keptLayers, type NewUpper } from './uppers.js'

/** A sandbox that stands before its first instruction. */
export interface Started {
  readonly sandbox: SandboxProcess
  readonly message: StartMessage
  /** Limits of the whole process that the kernel has been seen to hold. */
  readonly evidence: readonly LimitEvidence[]
}

/** What a sandbox is told, and what its process is given. */
export interface Prepared {
  readonly message: StartMessage
  readonly start: SandboxStart
}

/** What is settled for a sandbox besides its container. */
export interface PreparedOptions extends Pick<StartMessageParts, 'layers' | 'preopens' | 'bindPath' | 'layerBytes' | 'transpiled'> {
  /** Null where the launcher listens for it. */
  readonly sessions: StartMessage['sessions'] | null
  /** It is to be somebody's only later. */
  readonly prewarmed: boolean
}

const TERMINAL_SIZE = { rows: 24, columns: 80 } as const

/** What both kinds of sandbox are told and given. */
export function prepared(
  { spec, rootfs, directory, openStdin, supervision, signal }: CreateRequest,
  program: Program,
  upper: NewUpper | null,
  options: PreparedOptions,
): Prepared {
  const outlives = supervision?.outlives === true
  const upperPath = upper?.path ?? null
  const endPath = supervision === undefined && !options.prewarmed ? null : saidPath(ownFolder(directory))
  const asksRemote = spec.mounts.some(({ type }) => type === 'fs') || rootfs.layers.some(({ lazy }) => lazy !== undefined)
  const { recording } = spec
  const given = { upperPath, endPath, ...(recording === undefined ? {} : { recording }) }
  const count = descriptorCount({ ...given, asksRemote })
  // The last first: what is not there has no descriptor.
  let last = START_DESCRIPTOR + count
  const remoteDescriptor = asksRemote ? --last : null
  const recordingDescriptor = recording === undefined ? null : --last
  const endDescriptor = endPath === null ? null : --last
  const message = startMessage({
    ...options,
    spec,
    imageLayers: rootfs.layers.length,
    program: program.path,
    keepsUpper: upper !== null,
    endDescriptor,
    remoteDescriptor,
    recordingDescriptor,
    sessions: options.sessions ?? { descriptor: START_DESCRIPTOR + count },
    outlives,
  })
  const { terminal } = spec.process
  return {
    message,
    start: { openStdin, terminal, ...given, channels: 0, asksRemote, outlives, ...(signal === undefined ? {} : { signal }) },
  }
}

/** The image's layers and those that earlier runs have left, by their paths on the host. */
export function layersOf({ rootfs, directory, spec }: CreateRequest): SandboxLayer[] {
  const image = rootfs.layers.map(({ tarPath, indexPath, lazy }, place): SandboxLayer => {
    return { tarPath, indexPath, ...(lazy === undefined ? {} : { lazy: lazyNumber(spec, place) }) }
  })
  return [...image, ...keptLayers(ownFolder(directory)).map(({ tarPath, indexPath }) => ({ tarPath, indexPath }))]
}

/** What a sandbox asks by for the contents of the image's layer with this place; mounts have the numbers before. */
export function lazyNumber({ mounts }: ContainerSpec, place: number): number {
  return mounts.length + place
}

/** Start, control, the files that are there, the recording, and the socket for remote file systems. */
function descriptorCount({
  upperPath,
  endPath,
  recording,
  asksRemote,
}: Pick<SandboxStart, 'upperPath' | 'endPath' | 'recording' | 'asksRemote'>): number {
  return 2 + [upperPath, endPath].filter((path) => path !== null).length + (recording === undefined ? 0 : 1) + (asksRemote ? 1 : 0)
}

/** Layers as a sandbox behind the native wall finds them. */
export function insideLayers(stored: readonly SandboxLayer[]): SandboxLayer[] {
  return stored.map(({ lazy }, place) => ({ ...layerPaths(place), ...(lazy === undefined ? {} : { lazy }) }))
}

/** What the tars of the layers hold together. */
export function layerBytes(stored: readonly SandboxLayer[]): number {
  return stored.reduce((sum, { tarPath }) => sum + statSync(tarPath).size, 0)
}

/** Starts a sandbox of a container behind the native wall. */
export async function startBehindWall(
  request: CreateRequest,
  layers: readonly SandboxLayer[],
  parts: Prepared,
  delegated: Delegation,
  transpiled: string | null,
): Promise<Started> {
  const { directory, spec, supervision } = request
  const asked = sandboxGroups(spec, delegated)
  if (usesGroups(asked)) sweepGroups(delegated)
  const folder = ownFolder(directory)
  const plan = wallPlan(request, layers, parts, delegated, {
    sessionsFolder: folder,
    supervision: supervisionOperations(folder, supervision),
    transpiled,
  })
  const sandbox = await startWalled(plan, seccompAsset() ?? '', parts.start)
  return { sandbox, message: parts.message, evidence: sandboxEvidence(asked, sandbox.pid) }
}

/** What the launcher is asked for around a sandbox. */
export function wallPlan(
  { id, spec, openStdin, keepStdin = false, terminalSize = TERMINAL_SIZE }: CreateRequest,
  layers: readonly SandboxLayer[],
  { message, start }: Prepared,
  delegated: Delegation,
  { sessionsFolder, supervision, transpiled }: Required<Pick<SandboxPlanRequest, 'sessionsFolder' | 'supervision' | 'transpiled'>>,
): Plan {
  return sandboxPlan({
    spec,
    groups: groupOperations(id, sandboxGroups(spec, delegated), delegated),
    idMap: singleIdMap(),
    node: nodeFiles(),
    sandboxPath: assetPath('sandbox'),
    nodeFlags: NODE_FLAGS,
    program: SANDBOX_PROGRAM,
    layers,
    transpiled,
    descriptors: descriptorCount(start),
    sessionsFolder,
    openStdin,
    keepStdin,
    supervision,
    terminalSize,
    fileBytes: fileBytes(spec, message),
  })
}

/** The longest file a sandbox has to write: its upper, or one in a folder of the host's. */
function fileBytes({ mounts, recording }: ContainerSpec, { keepsUpper, endDescriptor, limits }: StartMessage): number {
  if (mounts.some((mount) => isHostMount(mount) && !mount.readonly)) return MAXIMUM_FILE_BYTES
  const lastWord = endDescriptor === null ? 0 : LAST_WORD_BYTES
  const written = Math.max(lastWord, recording?.mode === 'record' ? RECORDING_BYTES + HEADER_BYTES : 0)
  return keepsUpper ? Math.max(written, Math.min(limits.upperBytes, MAXIMUM_FILE_BYTES)) : written
}

export const LAST_WORD_BYTES = 64 * 1024

/** The wall's part of a container's folder. */
export function ownFolder(directory: string): string {
  return join(directory, 'wasm')
}

/** Where a sandbox writes its last word. */
export function saidPath(folder: string): string {
  return join(folder, 'said.json')
}
