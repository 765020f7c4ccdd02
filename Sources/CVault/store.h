/* What the open files of one database share: its key, and the index of its log. */
#ifndef GODWIT_VAULT_STORE_H
#define GODWIT_VAULT_STORE_H

#include <sqlite3.h>

#include "seal.h"

typedef struct vault_store {
    struct vault_store *next;
    /* The path as SQLite writes it in full. */
    char *path;
    godwit_vault_key *key;
    /* Open files, and one for the table of keys. */
    int owners;
    /* Is being made: its rollback journal is kept nowhere. */
    int is_new;
    /* Taken off: nothing opens it any more. */
    int is_dropped;
    /* Connections that see the index; it is forgotten with the last one. */
    int viewers;
    void **regions;
    int region_count;
    /* Holders of each lock of the index: their number if they share it, -1 if one has it alone. */
    int locks[SQLITE_SHM_NLOCK];
} vault_store;

/* One file of SQLite that is under a key. SQLite gives the room; the system's own file lies behind it. */
typedef struct vault_file {
    sqlite3_file base;
    vault_store *store;
    sqlite3_file *real;
    /* Locks of the index that this connection shares or has alone, a bit each. */
    unsigned shared, alone;
    int is_viewer;
} vault_file;

/* Makes the vault SQLite's default way to the system, once. */
int godwit_vault_register(void);

/* All that is shared is read and written between these two. */
void vault_enter(void);
void vault_leave(void);

/* Methods of the kinds of files. */
extern const sqlite3_io_methods vault_database_methods;
extern const sqlite3_io_methods vault_log_methods;
extern const sqlite3_io_methods vault_journal_methods;

/* What all kinds hand on to the system as it is. */
int vault_close(sqlite3_file *file);
int vault_sync(sqlite3_file *file, int flags);
int vault_lock(sqlite3_file *file, int level);
int vault_unlock(sqlite3_file *file, int level);
int vault_check_reserved(sqlite3_file *file, int *result);
int vault_sector_size(sqlite3_file *file);
int vault_characteristics(sqlite3_file *file);

/* The index of the log, in memory. */
int vault_index_map(sqlite3_file *file, int region, int size, int extend, void volatile **result);
int vault_index_lock(sqlite3_file *file, int offset, int count, int flags);
void vault_index_barrier(sqlite3_file *file);
int vault_index_unmap(sqlite3_file *file, int delete_it);
/* Whether a connection is reading the log anew after a crash. */
int vault_index_is_recovering(vault_store *store);

#define VAULT_IS_HELD 0x67770001

#endif
