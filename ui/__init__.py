"""What pages share: navigation, cached models and data, figures, colours, the live panel."""
