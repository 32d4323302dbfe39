"""What to do about an `InputError`, in options of commands; keys as in `activelab._errors`."""

ADVICE = {
    "allow_remote": "Say --allow-remote if that is meant, and put a proxy with HTTPS before it: else "
    "passwords travel in the clear.",
    "class_columns": "Use --classes to list every class, used or not, or leave these columns out.",
    "classes": "Use --classes to list every class in the order of the columns, used or not.",
    "column": "Name the column with --{column}-column.",
    "columns": "Use --classes to list every class, used or not, or leave these columns out.",
    "content": "Name it with --{column}.",
    "connect": "Connect it with: activelab label-studio connect PLACE --url … --project …",
    "label_config": "A configuration that asks what the project asks: activelab label-studio config PLACE.",
    "ensemble": "Several --pred-probs are an ensemble.",
    "example_field": "Say which field of the tasks holds their ids, with --example-field, or connect a new "
    "project.",
    "examples": "Row i must be example i of the pool. Use --examples to list the whole pool, or give the "
    "probabilities as a table with a column 'example' to align by id.",
    "image_root": "Name it with --images-root DIR.",
    "keep": "Use --keep last to keep the last label of each pair.",
    "leave_out": "Correct them, or leave them out with --rejected FILE.",
    "media_folder": "Serve it with --media-folder DIR.",
    "memory": "Give a larger --memory.",
    "memory_or_workers": "Give a larger --memory, or fewer --workers.",
    "models": "Give several --pred-probs, or use --method entropy with a single model.",
    "pool": "Add them to --examples.",
    "port": "Choose another with --port.",
    "project_predictions": "Row i of an array is example i of the project and column j its class j; a table "
    "has a column 'example' and one a class.",
    "question": "Choose one with --question.",
    "rows": "Give the missing rows.",
    "scale": "List them with --scale.",
    "skip_known": "Pass over them with --skip-known.",
    "start_again": "Run the command again; with --work-dir only what rests on it is computed again.",
    "store_away": "With --work-dir the same command goes on where it stopped.",
    "store_rights": "Credentials come from the environment or a profile, as for other programs of the store: "
    "of S3 AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
    "token": "Set it to a token of your Label Studio account, or name --token-file.",
    "unmatched": "Give the missing rows, or leave these examples out with --unmatched drop.",
    "work_dir": "Name it with --work-dir.",
    "work_dir_full": "Free some space, or give a --work-dir on another disk.",
}
