"""Very large collections of photos -> Parquet files of embeddings, on one machine or many."""
