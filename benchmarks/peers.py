"""What the benchmarks measure beside: transformers' Llama in torch, of the very shape of an Architecture."""

from typing import Any

from ie_scaling import accounting
from ie_scaling.architecture import Architecture


def torch_llama(a: Architecture, n_positions: int, n_threads: int, **fields: Any) -> Any:
    """A LlamaForCausalLM with random weights and fused attention, `fields` for its config; sets torch's threads."""
    import torch
    import transformers

    torch.set_num_threads(n_threads)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        hidden_size=a.d_model,
        num_hidden_layers=a.n_layers,
        num_attention_heads=a.n_heads,
        num_key_value_heads=a.n_kv_heads,
        head_dim=a.d_head,
        intermediate_size=a.d_ff,
        vocab_size=a.vocab_size,
        max_position_embeddings=n_positions,
        tie_word_embeddings=a.tied_embeddings,
        attn_implementation="sdpa",
        **fields,
    )
    model = transformers.LlamaForCausalLM(config)
    assert sum(weight.numel() for weight in model.parameters()) == accounting.count_parameters(a)
    return model
