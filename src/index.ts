/**
 * wolffia: runs OCI images without root and without a daemon, behind a wall you choose.
 *
 * @packageDocumentation
 */
export type { Container, ContainerImage, ContainerStatus, ContainerSummary } from './container/container.js'
export type { CreateOptions } from './container/options.js'
export type { Containers } from './engine/containers.js'
export type { Diagnosis, Finding } from './engine/doctor.js'
export { Engine, type EngineOptions } from './engine/engine.js'
export type { ImageDetails, ImagePlatform, ImageProcess, ImageSummary, ImportOptions } from './engine/image-summary.js'
export type { Images, PlatformOption, ResolvedImage } from './engine/images.js'
export type { VersionReport } from './engine/version.js'
export { EngineError, type EngineErrorOptions, type ErrorCode } from './errors.js'
export type { RemovedImage } from './image/remove.js'
