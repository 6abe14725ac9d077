// What the rest of the appliance may do with models, versions and uploads. The implementation is store.ts and its
// neighbours; nothing here knows of processes or of the network.
import type { Inspection, Manifest, ModelRecord, Origin, VersionRecord } from '../types.ts';

export interface UploadRecord {
  id: string;
  /** Announced size of the whole file. */
  bytes: number;
  /** Bytes that have arrived and are safe on disk: where a resumed upload goes on. */
  received: number;
  createdAt: string;
}

export interface WholeFile {
  /** Its size; absent when its end alone will tell. */
  bytes?: number;
  /** Where it was fetched from: the versions that are made of it will say so, whatever the person says. */
  origin?: Origin;
}

export interface ImportFile {
  uploadId: string;
  /** Name or path of the file as the client knows it, e.g. "model.onnx", "1/model.onnx", "models.tar.gz". */
  path: string;
}

export interface ImportRequest {
  /** Model to add a version to; may be absent when the files are a Triton repository, whose folders give the names. */
  name?: string;
  /**
   * One ONNX file, one archive, or the files of a folder. All uploads must be complete; an import that succeeds uses them up,
   * after one that fails they can be imported again until they expire.
   */
  files: ImportFile[];
  /** What the person says about the model; wins over what was found out. */
  manifest?: Partial<Omit<Manifest, 'serving'>> & { serving?: Partial<Manifest['serving']> };
}

/** What was found in uploads that nothing was stored of. */
export interface FoundModel {
  model: string;
  manifest: Manifest;
  inspection: Inspection;
  warnings: string[];
}

export interface Registry {
  listModels(): ModelRecord[];
  /** @throws AppError not_found */
  getModel(name: string): ModelRecord;
  /** Ascending by version. @throws AppError not_found */
  listVersions(name: string): VersionRecord[];
  /** @throws AppError not_found */
  getVersion(name: string, version: number): VersionRecord;

  /** Versions that should be loaded, over restarts too. */
  listLoaded(): { name: string; version: number }[];
  setLoaded(name: string, version: number, loaded: boolean): void;
  setCurrent(name: string, version: number | null): void;

  /** Lays the version's files out in `folder` (made if need be) by hard link. @returns path of the ONNX file there */
  layOut(record: VersionRecord, folder: string): Promise<string>;

  /** @throws AppError conflict when it is loaded, not_found */
  removeVersion(name: string, version: number): Promise<void>;
  /** Removes the model and all its versions. @throws AppError conflict when one is loaded, not_found */
  removeModel(name: string): Promise<void>;

  /** @throws AppError too_large over the limit or when the disk has no room */
  createUpload(bytes: number): Promise<UploadRecord>;
  getUpload(id: string): UploadRecord;
  /**
   * Appends to an upload, streaming. A stream that breaks off leaves what arrived, to be resumed from `received`.
   * @param offset must equal what was received so far, else AppError conflict
   * @throws AppError too_large when more comes than was announced
   */
  appendUpload(id: string, offset: number, body: ReadableStream<Uint8Array>): Promise<UploadRecord>;
  /**
   * Takes a whole file in one go: complete in the end, or nothing is left of it. It does not outlive the process until it
   * is imported. AppErrors of `body` are passed on.
   * @throws AppError as `createUpload`; invalid when less comes than was announced
   */
  storeUpload(body: AsyncIterable<Uint8Array>, file: WholeFile): Promise<UploadRecord>;
  removeUpload(id: string): Promise<void>;

  /** Inspects and stores; all versions of one request become visible together or not at all. */
  importVersions(request: ImportRequest, onProgress?: (step: string) => void): Promise<VersionRecord[]>;
  /** As an import, without storing anything: the uploads stay. @throws AppError as importVersions */
  inspectUploads(request: ImportRequest, onProgress?: (step: string) => void): Promise<FoundModel[]>;
  /**
   * The next version of the model, with the files of one that it has and another manifest.
   * @param change what of the manifest is to be otherwise, as JSON; null takes a field away
   * @throws AppError not_found, invalid
   */
  deriveVersion(name: string, version: number, change: unknown): Promise<VersionRecord>;
  close(): Promise<void>;
}

/** Looks at model files in a child process; handed in, because running models is a room above. */
export type Inspect = (request: { path: string; weightBytes: number }) => Promise<Inspection>;
