/* The database's own file: pages of one size in their places, each sealed. */
#include "clean.h"
#include "store.h"

#include <string.h>

#define PAGE GODWIT_VAULT_PAGE

static int read_page(vault_file *own, sqlite3_int64 number, uint8_t *clear) {
    uint8_t sealed[PAGE];
    int code = own->real->pMethods->xRead(own->real, sealed, PAGE, number * PAGE);
    if (code == SQLITE_IOERR_SHORT_READ) {
        sqlite3_int64 size = 0;
        /* SQLite takes what is missing for zeros. That is true of a new file; in any other, something was cut off. */
        code = own->real->pMethods->xFileSize(own->real, &size);
        if (code == SQLITE_OK) code = size == 0 ? SQLITE_IOERR_SHORT_READ : SQLITE_IOERR_DATA;
    }
    if (code != SQLITE_OK) return code;
    return godwit_vault_open_page(own->store->key, (uint64_t)number, sealed, clear) == 0 ? SQLITE_OK : SQLITE_IOERR_DATA;
}

static int read_database(sqlite3_file *file, void *buffer, int count, sqlite3_int64 offset) {
    vault_file *own = (vault_file *)file;
    uint8_t clear[PAGE];
    uint8_t *next = buffer;
    while (count > 0) {
        int start = (int)(offset % PAGE);
        int part = count < PAGE - start ? count : PAGE - start;
        int code = read_page(own, offset / PAGE, clear);
        if (code == SQLITE_IOERR_SHORT_READ) memset(next, 0, (size_t)count);
        if (code != SQLITE_OK) return code;
        memcpy(next, clear + start, (size_t)part);
        next += part;
        offset += part;
        count -= part;
    }
    return SQLITE_OK;
}

static int write_database(sqlite3_file *file, const void *buffer, int count, sqlite3_int64 offset) {
    vault_file *own = (vault_file *)file;
    uint8_t clear[PAGE], sealed[PAGE];
    uint64_t number = (uint64_t)(offset / PAGE);
    if (count != PAGE || offset % PAGE != 0 || !godwit_vault_fits(number, buffer)) return SQLITE_IOERR_WRITE;
    sqlite3_int64 size = 0;
    memcpy(clear, buffer, PAGE);
    if (own->real->pMethods->xFileSize(own->real, &size) == SQLITE_OK) godwit_clean_page(clear, offset, size);
    godwit_vault_seal_page(own->store->key, number, clear, sealed);
    return own->real->pMethods->xWrite(own->real, sealed, PAGE, offset);
}

static int truncate_database(sqlite3_file *file, sqlite3_int64 size) {
    sqlite3_file *real = ((vault_file *)file)->real;
    return real->pMethods->xTruncate(real, size);
}

static int size_of_database(sqlite3_file *file, sqlite3_int64 *size) {
    sqlite3_file *real = ((vault_file *)file)->real;
    return real->pMethods->xFileSize(real, size);
}

static int control_database(sqlite3_file *file, int what, void *argument) {
    sqlite3_file *real = ((vault_file *)file)->real;
    switch (what) {
    case VAULT_IS_HELD:
        *(int *)argument = 1;
        return SQLITE_OK;
    case SQLITE_FCNTL_MMAP_SIZE:
        /* What is mapped into memory would be ciphertext. */
        *(sqlite3_int64 *)argument = 0;
        return SQLITE_OK;
    case SQLITE_FCNTL_BEGIN_ATOMIC_WRITE:
    case SQLITE_FCNTL_COMMIT_ATOMIC_WRITE:
    case SQLITE_FCNTL_ROLLBACK_ATOMIC_WRITE:
    case SQLITE_FCNTL_LOCK_TIMEOUT:
        return SQLITE_NOTFOUND;
    default:
        return real->pMethods->xFileControl(real, what, argument);
    }
}

/* Version 2: without xFetch, that is without mapping pages into memory. */
const sqlite3_io_methods vault_database_methods = {
    .iVersion = 2,
    .xClose = vault_close,
    .xRead = read_database,
    .xWrite = write_database,
    .xTruncate = truncate_database,
    .xSync = vault_sync,
    .xFileSize = size_of_database,
    .xLock = vault_lock,
    .xUnlock = vault_unlock,
    .xCheckReservedLock = vault_check_reserved,
    .xFileControl = control_database,
    .xSectorSize = vault_sector_size,
    .xDeviceCharacteristics = vault_characteristics,
    .xShmMap = vault_index_map,
    .xShmLock = vault_index_lock,
    .xShmBarrier = vault_index_barrier,
    .xShmUnmap = vault_index_unmap,
};
