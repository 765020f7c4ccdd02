/*
 * The rollback journal of a database that is being made. SQLite insists on one where it copies into a new file; who makes
 * a copy throws it away when that fails, so nothing is ever rolled back, and nothing is written down here.
 */
#include "store.h"

#include <string.h>

static int read_nothing(sqlite3_file *file, void *buffer, int count, sqlite3_int64 offset) {
    (void)file, (void)offset;
    memset(buffer, 0, (size_t)count);
    return SQLITE_IOERR_SHORT_READ;
}

static int write_nothing(sqlite3_file *file, const void *buffer, int count, sqlite3_int64 offset) {
    (void)file, (void)buffer, (void)count, (void)offset;
    return SQLITE_OK;
}

static int truncate_nothing(sqlite3_file *file, sqlite3_int64 size) {
    (void)file, (void)size;
    return SQLITE_OK;
}

static int size_of_nothing(sqlite3_file *file, sqlite3_int64 *size) {
    (void)file;
    *size = 0;
    return SQLITE_OK;
}

static int control_nothing(sqlite3_file *file, int what, void *argument) {
    (void)file, (void)what, (void)argument;
    return SQLITE_NOTFOUND;
}

const sqlite3_io_methods vault_journal_methods = {
    .iVersion = 1,
    .xClose = vault_close,
    .xRead = read_nothing,
    .xWrite = write_nothing,
    .xTruncate = truncate_nothing,
    .xSync = vault_sync,
    .xFileSize = size_of_nothing,
    .xLock = vault_lock,
    .xUnlock = vault_unlock,
    .xCheckReservedLock = vault_check_reserved,
    .xFileControl = control_nothing,
    .xSectorSize = vault_sector_size,
    .xDeviceCharacteristics = vault_characteristics,
};
