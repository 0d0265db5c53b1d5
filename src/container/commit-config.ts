import { mergeEnv } from '../image/change.js'
import type { ContainerConfig } from '../oci/image-spec.js'
import type { CreateOptions } from './options.js'
import type { ContainerRecord } from './record.js'
import { healthcheckOf } from './settings.js'

/** What a caller has said that an image's config can say too, as it was said. */
export interface AskedConfig extends Pick<CreateOptions, 'command' | 'entrypoint' | 'env' | 'workingDir' | 'user' | 'stopSignal'> {
  /** Where there is a volume that nobody named. */
  readonly volumes?: readonly string[]
}

/** What of a container's options an image of it takes over. */
export function askedConfig({ command, entrypoint, env, workingDir, user, stopSignal, mounts = [] }: CreateOptions): AskedConfig {
  const volumes = mounts.flatMap((mount) => (mount.type === 'volume' && mount.name === undefined ? [mount.destination] : []))
  return {
    ...(command === undefined ? {} : { command }),
    ...(entrypoint === undefined ? {} : { entrypoint }),
    ...(env === undefined ? {} : { env }),
    ...(workingDir === undefined ? {} : { workingDir }),
    ...(user === undefined ? {} : { user }),
    ...(stopSignal === undefined ? {} : { stopSignal }),
    ...(volumes.length === 0 ? {} : { volumes }),
  }
}

/** The config of an image that is made of a container: its own image's, with what the container was made with over it, as docker's commit has it. */
export function committedConfig(image: ContainerConfig, { asked = {}, labels, settings }: ContainerRecord): ContainerConfig {
  const { command, entrypoint, env, workingDir, user, stopSignal, volumes } = asked
  const { Cmd, Entrypoint, Healthcheck, Labels, ...rest } = image
  const words = entrypoint === undefined ? { entrypoint: Entrypoint, command: command ?? Cmd } : { entrypoint, command }
  const check = settings.health === null ? (Healthcheck === undefined ? undefined : { Test: ['NONE'] }) : healthcheckOf(settings.health)
  return {
    ...rest,
    ...(user === undefined ? {} : { User: user }),
    ...(env === undefined ? {} : { Env: mergeEnv(image.Env ?? [], Object.entries(env)) }),
    ...(words.entrypoint === undefined || words.entrypoint.length === 0 ? {} : { Entrypoint: words.entrypoint }),
    ...(words.command === undefined ? {} : { Cmd: words.command }),
    ...(volumes === undefined ? {} : { Volumes: { ...image.Volumes, ...Object.fromEntries(volumes.map((path) => [path, {}])) } }),
    ...(workingDir === undefined ? {} : { WorkingDir: workingDir }),
    ...(Labels === undefined && Object.keys(labels).length === 0 ? {} : { Labels: { ...Labels, ...labels } }),
    ...(stopSignal === undefined ? {} : { StopSignal: settings.stopSignal }),
    ...(check === undefined ? {} : { Healthcheck: check }),
  }
}
