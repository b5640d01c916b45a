/**
 * Where the outputs of a job lie: a folder of a file system, or a prefix of a store of objects. All names
 * are relative to it, with `/` between their parts. What is created is whole and durable when the promise
 * resolves. Rejections are `output_write_failed`, or `object_store_unavailable` after all patience is used
 * up, and name the path or the object.
 */

/** Bytes that were staged: a whole file, or a span of one that holds several. */
export interface StagedFile {
  /** Below the folder of the lease. */
  readonly staged: string;
  /** Null: the file as a whole. */
  readonly span: { readonly offset: number; readonly length: number } | null;
}

/** A file that is appended to. */
export interface GrowingFile {
  /** Length so far: where the next `append` goes. */
  readonly sizeBytes: number;
  append(bytes: Uint8Array): Promise<void>;
}

/** A point to go back to. */
export interface DraftMark {
  /** Lengths of the growing files, in the order in which they were begun. */
  readonly grownBytes: readonly number[];
  readonly wholes: number;
}

/** Files of one part of an output while it is being made. Nobody else sees them. */
export interface OutputDraft {
  grow(): Promise<GrowingFile>;
  /** Bytes that become a file of their own. The order of calls is that of `DraftFiles.wholes`. */
  add(data: Uint8Array): Promise<void>;
  /** Call it before whatever may have to be undone; only the last mark can be gone back to. */
  mark(): DraftMark;
  undo(mark: DraftMark): Promise<void>;
  /** Makes everything durable. */
  finish(): Promise<DraftFiles>;
  /** Leaves nothing of it behind. */
  remove(): Promise<void>;
}

export interface DraftFiles {
  /** Null for one without a byte: there is no such file. */
  readonly grown: readonly (StagedFile | null)[];
  readonly wholes: readonly StagedFile[];
}

export type PlaceResult =
  /** It is under its final name now, or was put there before. */
  | 'in_place'
  /** Another file has the name. */
  | 'taken'
  /** A folder of the name cannot be made: another file has its name. */
  | 'blocked'
  /** It is neither where it was staged nor under its name. */
  | 'missing';

/** A file that is written from front to end, and appears as a whole in the end. */
export interface WholeFileWriter extends GrowingFile {
  /** Under its name, in place of what may be there. */
  keep(): Promise<void>;
  /** Nothing of it stays, unless it was kept. */
  discard(): Promise<void>;
}

export interface OutputStore {
  /** As people write it: an absolute path, or `s3://BUCKET/PREFIX`. */
  readonly location: string;
  /** What the locations of its files begin with, without a slash at the end. */
  root(): Promise<string>;
  /** What is wrong with a final name here; null: nothing. */
  nameFault(name: string): string | null;
  /** A name of something that is there, other than what an unfinished claim left; null: it is free. */
  example(): Promise<string | null>;
  /** The bytes of a small file; null where there is none. */
  read(name: string): Promise<Uint8Array | null>;
  /** The bytes of a file of any size; null where there is none. */
  chunks(name: string): Promise<AsyncIterable<Uint8Array> | null>;
  has(name: string): Promise<boolean>;
  /** Writes a small file unless there is one: then nothing is written and the answer is false. */
  create(name: string, bytes: Uint8Array | string): Promise<boolean>;
  /** `folder` is of this draft alone, below the lease's folder. */
  draft(leaseFolder: string, folder: string): Promise<OutputDraft>;
  /** Makes the names that drafts below the folder have durable. */
  settleDrafts(leaseFolder: string): Promise<void>;
  /**
   * Gives what was staged its final name, never over another file. Repeating it, also by another process and
   * after a crash at any point, gives the same result.
   */
  place(leaseFolder: string, file: StagedFile, final: string): Promise<PlaceResult>;
  /** Makes final names durable. */
  settle(finals: readonly string[]): Promise<void>;
  /** Whether what was staged has the final name, or is gone. */
  hasLeft(leaseFolder: string, file: StagedFile, final: string): Promise<boolean>;
  /**
   * The index of a piece stands under its second name once everything in it is placed: with `text` in it, and
   * with what was staged for it gone. `renames`: the text is the same as under the first name.
   */
  markPublished(piece: PublishedPiece): Promise<void>;
  /** Names of all files below a folder, at any depth, as of the folder. */
  namesBelow(folder: string): AsyncIterable<string>;
  /** A file that takes its place when it is complete. `nonce` tells its temporary files from others'. */
  whole(name: string, nonce: string): Promise<WholeFileWriter>;
  /** Removes everything below a folder. */
  clear(folder: string): Promise<void>;
  /**
   * Gives up every file, anywhere in the output, that was begun and not ended; how many there were. Not while
   * somebody writes whose work is still wanted.
   */
  abandonUnfinished(): Promise<number>;
}

export interface PublishedPiece {
  readonly leaseFolder: string;
  readonly from: string;
  readonly to: string;
  readonly text: string;
  readonly renames: boolean;
  readonly files: readonly StagedFile[];
}
