//! How RocksDB is set up: small enough for a small pod, and strict where a promise could get lost.

use rocksdb::{BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, LogLevel, Options};

const MIB: usize = 1 << 20;

/// One for all families.
pub(super) fn cache() -> Cache {
    Cache::new_lru_cache(8 * MIB)
}

/// For the database as a whole.
pub(super) fn database() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    // A record torn by a power cut was not promised to anybody; any other damage in the log may be a lost promise, and
    // then it is better not to start.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_max_background_jobs(2);
    options.set_db_write_buffer_size(32 * MIB);
    options.set_max_total_wal_size(64 * MIB as u64);
    options.set_max_open_files(256);
    options.set_log_level(LogLevel::Warn);
    options.set_keep_log_file_num(2);
    options.set_max_log_file_size(MIB);
    options
}

/// Records are asked for by their whole key, so each family has a bloom filter of ten bits a key.
pub(super) fn family(cache: &Cache) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_bloom_filter(10.0, false);
    blocks.set_block_cache(cache);
    blocks.set_cache_index_and_filter_blocks(true);
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    options.set_write_buffer_size(4 * MIB);
    options.set_compression_type(DBCompressionType::Lz4);
    options
}
